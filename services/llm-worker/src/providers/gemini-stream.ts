// Puts an answer together from the chunks of a Gemini stream. Parts go back as they came: the API checks the signatures of its thoughts,
// so a part with one is never joined with another.
import type { Candidate, GenerateContentResponse, Part } from '@google/genai'
import { type Failure, failure, type Json, type ToolUse } from '@stepfleet/contracts'
import { type Collected, madeUpId, refused, type Tokens, truncated } from './collected.ts'

type PlainPart = { [key: string]: Json }

// what the SDK hands out has been parsed from JSON, so a round trip is the honest way to say so in types
const plain = (value: object): PlainPart => JSON.parse(JSON.stringify(value))

const tokensOf = (usage: NonNullable<GenerateContentResponse['usageMetadata']>): Tokens => {
  const read = usage.cachedContentTokenCount ?? 0
  return {
    // the prompt's count holds the cached ones too
    inputTokens: Math.max(0, (usage.promptTokenCount ?? 0) + (usage.toolUsePromptTokenCount ?? 0) - read),
    // thoughts are paid for as output
    outputTokens: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
    cacheReadTokens: read,
    cacheWriteTokens: 0,
  }
}

const malformed = (finish: string, message: string): Failure =>
  failure('malformed_output', `the provider could not read the call that the model made (${finish})`, {
    details: { reason: finish, said: message.slice(0, 500) },
  })

/** What the reason for stopping means when it is not a whole answer; null: it is one. */
const stopFailure = (finish: string, message: string): Failure | null => {
  switch (finish) {
    case 'STOP':
      return null
    case 'MAX_TOKENS':
    // the limit of one request, which the SDK would go on from with further requests
    case 'CONTINUATION':
      return truncated()
    case 'SAFETY':
    case 'RECITATION':
    case 'LANGUAGE':
    case 'BLOCKLIST':
    case 'PROHIBITED_CONTENT':
    case 'SPII':
    case 'IMAGE_SAFETY':
    case 'IMAGE_PROHIBITED_CONTENT':
    case 'IMAGE_RECITATION':
      return refused([finish, message].filter((part) => part !== '').join(': '))
    case 'MALFORMED_FUNCTION_CALL':
    case 'MALFORMED_RESPONSE':
    case 'UNEXPECTED_TOOL_CALL':
    case 'TOO_MANY_TOOL_CALLS':
      return malformed(finish, message)
    case 'MISSING_THOUGHT_SIGNATURE':
      return failure('bad_request', `the provider misses a signature of its thoughts: ${message}`)
    default:
      return failure('provider_error', `the provider stopped for a reason of its own: ${finish} ${message}`.trim())
  }
}

const isPlainText = (part: PlainPart): boolean =>
  Object.keys(part).every((key) => key === 'text' || key === 'thought') && typeof part.text === 'string'

/** Two pieces of one text, which the stream cut. */
const continues = (before: PlainPart | undefined, part: PlainPart): before is PlainPart =>
  before !== undefined && isPlainText(before) && isPlainText(part) && before.thought === part.thought

export class ContentCollector {
  readonly #effectKey: string
  readonly #parts: PlainPart[] = []
  readonly #toolUses: ToolUse[] = []
  #text = ''
  #finish: string | null = null
  #finishMessage = ''
  /** Why the prompt itself was not taken. */
  #blocked: string | null = null
  #tokens: Tokens | null = null

  constructor(effectKey: string) {
    this.#effectKey = effectKey
  }

  add(chunk: GenerateContentResponse): void {
    // each chunk tells totals
    if (chunk.usageMetadata) this.#tokens = tokensOf(chunk.usageMetadata)
    const { promptFeedback } = chunk
    if (promptFeedback?.blockReason)
      this.#blocked = [promptFeedback.blockReason, promptFeedback.blockReasonMessage ?? '']
        .filter((part) => part !== '')
        .join(': ')
    const [candidate] = chunk.candidates ?? []
    if (candidate) this.#extend(candidate)
  }

  #extend(candidate: Candidate): void {
    for (const part of candidate.content?.parts ?? []) this.#addPart(part)
    if (candidate.finishReason) this.#finish = candidate.finishReason
    if (candidate.finishMessage) this.#finishMessage = candidate.finishMessage
  }

  #addPart(given: Part): void {
    if (given.text !== undefined && given.thought !== true) this.#text += given.text
    if (given.functionCall) {
      const { id, name, args } = given.functionCall
      const place = this.#toolUses.length
      // the API leaves out arguments where there are none; broken ones it tells by its reason for stopping
      const input: Json = JSON.parse(JSON.stringify(args ?? {}))
      this.#toolUses.push({ id: id ?? madeUpId(this.#effectKey, place), name: name ?? '', input })
    }
    const part = plain(given)
    const before = this.#parts.at(-1)
    if (continues(before, part)) before.text = `${before.text}${part.text}`
    // an empty piece says nothing, unless it carries a signature
    else if (!(isPlainText(part) && part.text === '')) this.#parts.push(part)
  }

  result(): Collected {
    return {
      content: this.#parts.length === 0 ? [] : [{ role: 'model', parts: [...this.#parts] }],
      text: this.#text,
      toolUses: [...this.#toolUses],
      tokens: this.#tokens,
      whole: this.#finish !== null || this.#blocked !== null,
      stopped: this.#stopped(),
    }
  }

  #stopped(): Failure | null {
    if (this.#blocked !== null) return refused(`the prompt was blocked: ${this.#blocked}`)
    return this.#finish === null ? null : stopFailure(this.#finish, this.#finishMessage)
  }
}
