// Puts an answer together from the chunks of a Chat Completions stream. Nothing is repaired.
//
// Compatible servers differ: calls without an id, two calls under one index, fields of their own in a call (which must come back
// with it), no usage. What they leave out is made up only where it names nothing (ids).
import { failure, type Json, type ToolUse } from '@stepfleet/contracts'
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { brokenArguments, type Collected, madeUpId, noToolAsked, refused, type Tokens, truncated } from './collected.ts'

type Delta = ChatCompletionChunk.Choice.Delta
type CallDelta = ChatCompletionChunk.Choice.Delta.ToolCall

interface Call {
  id: string
  name: string
  json: string
  /** Fields of the server's own, as `extra_content` with a thought signature. */
  extra: { [key: string]: Json }
}

// what the SDK hands out has been parsed from JSON, so a round trip is the honest way to say so in types
const plain = (value: object): { [key: string]: Json } => JSON.parse(JSON.stringify(value))

const parsed = (json: string): Json | undefined => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

const tokensOf = (usage: NonNullable<ChatCompletionChunk['usage']>): Tokens => {
  const read = usage.prompt_tokens_details?.cached_tokens ?? 0
  const written = usage.prompt_tokens_details?.cache_write_tokens ?? 0
  return {
    // the prompt's count holds the cached ones too
    inputTokens: Math.max(0, (usage.prompt_tokens ?? 0) - read - written),
    outputTokens: usage.completion_tokens ?? 0,
    cacheReadTokens: read,
    cacheWriteTokens: written,
  }
}

export class ChatCollector {
  readonly #effectKey: string
  readonly #calls: Call[] = []
  /** The call that an index stands for now. */
  readonly #open = new Map<number, Call>()
  #text = ''
  #refusal = ''
  #reasoning = ''
  #finish: string | null = null
  #tokens: Tokens | null = null

  constructor(effectKey: string) {
    this.#effectKey = effectKey
  }

  add(chunk: ChatCompletionChunk): void {
    if (chunk.usage) this.#tokens = tokensOf(chunk.usage)
    const choice = chunk.choices?.[0]
    if (!choice) return
    if (choice.delta) this.#extend(choice.delta)
    if (choice.finish_reason) this.#finish = choice.finish_reason
  }

  #extend(delta: Delta): void {
    this.#text += delta.content ?? ''
    this.#refusal += delta.refusal ?? ''
    // some servers want their reasoning back with the calls that it led to
    if ('reasoning_content' in delta && typeof delta.reasoning_content === 'string')
      this.#reasoning += delta.reasoning_content
    for (const call of delta.tool_calls ?? []) this.#extendCall(call)
  }

  #extendCall(delta: CallDelta): void {
    const { index = 0, id, type, function: asked, custom, ...extra } = delta
    let call = this.#open.get(index)
    if (!call || (id && call.id !== '' && id !== call.id)) {
      call = { id: '', name: '', json: '', extra: {} }
      this.#open.set(index, call)
      this.#calls.push(call)
    }
    call.id ||= id ?? ''
    call.name ||= asked?.name ?? custom?.name ?? ''
    call.json += asked?.arguments ?? ''
    call.extra = { ...call.extra, ...plain(extra) }
  }

  result(): Collected {
    for (const [place, call] of this.#calls.entries()) call.id ||= madeUpId(this.#effectKey, place)
    const toolUses = this.#calls.flatMap(({ id, name, json }): ToolUse[] => {
      const input = parsed(json)
      return input === undefined ? [] : [{ id, name, input }]
    })
    return {
      content: this.#content(),
      text: this.#text,
      toolUses,
      tokens: this.#tokens,
      whole: this.#finish !== null,
      stopped: this.#stopped(),
    }
  }

  /** The message as the API takes it back. */
  #content(): Json[] {
    if (this.#text === '' && this.#calls.length === 0) return []
    const calls = this.#calls.map(({ id, name, json, extra }) => ({
      ...extra,
      id,
      type: 'function',
      function: { name, arguments: json },
    }))
    return [
      {
        role: 'assistant',
        content: this.#text === '' ? null : this.#text,
        ...(calls.length === 0 ? {} : { tool_calls: calls }),
        ...(this.#reasoning === '' || calls.length === 0 ? {} : { reasoning_content: this.#reasoning }),
      },
    ]
  }

  #stopped(): Collected['stopped'] {
    switch (this.#finish) {
      case null:
        return null
      case 'stop':
      case 'tool_calls': {
        if (this.#refusal !== '') return refused(this.#refusal)
        const broken = this.#calls.find(({ json }) => parsed(json) === undefined)
        if (broken) return brokenArguments(broken.name, broken.json)
        return this.#finish === 'tool_calls' && this.#calls.length === 0 ? noToolAsked() : null
      }
      case 'length':
        return truncated()
      case 'content_filter':
        return refused('content filter')
      default:
        return failure('provider_error', `the provider stopped for an unknown reason: ${this.#finish}`)
    }
  }
}
