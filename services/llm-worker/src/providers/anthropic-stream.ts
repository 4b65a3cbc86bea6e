// Puts an answer together from the events of its stream. Nothing is repaired: arguments of a tool that are cut or no JSON are told
// apart from whole ones. (The SDK's own collector parses partial arguments leniently, so a cut call would look whole.)
import type Anthropic from '@anthropic-ai/sdk'
import type { Json, ToolUse } from '@stepfleet/contracts'

type Event = Anthropic.RawMessageStreamEvent
type Block = { [key: string]: Json }

export interface Tokens {
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWriteTokens: number
}

export interface Collected {
  content: Json[]
  text: string
  toolUses: ToolUse[]
  /** Uses of tools, ours or the provider's own, whose arguments are no JSON. */
  brokenToolUses: { name: string; raw: string }[]
  /** null: the stream ended before it told one. */
  stop: Anthropic.StopReason | null
  stopDetails: Anthropic.RefusalStopDetails | null
  /** null: the stream ended before its first event. */
  tokens: Tokens | null
  /** True once the terminal event was there. */
  whole: boolean
}

interface Open {
  block: Block
  /** Arguments of a tool use as they come in. */
  json: string
}

// what the SDK hands out has been parsed from JSON, so a round trip is the honest way to say so in types
const plain = (value: object): Block => JSON.parse(JSON.stringify(value))

const append = (block: Block, field: string, piece: string): void => {
  const before = block[field]
  block[field] = `${typeof before === 'string' ? before : ''}${piece}`
}

export class AnswerCollector {
  readonly #blocks: Open[] = []
  #stop: Anthropic.StopReason | null = null
  #stopDetails: Anthropic.RefusalStopDetails | null = null
  #tokens: Tokens | null = null
  #whole = false

  add(event: Event): void {
    switch (event.type) {
      case 'message_start':
        this.#count(event.message.usage)
        return
      case 'content_block_start':
        this.#blocks[event.index] = { block: plain(event.content_block), json: '' }
        return
      case 'content_block_delta':
        this.#extend(event.index, event.delta)
        return
      case 'message_delta':
        this.#stop = event.delta.stop_reason
        this.#stopDetails = event.delta.stop_details ?? null
        this.#count(event.usage)
        return
      case 'message_stop':
        this.#whole = true
        return
      default:
        // content_block_stop tells nothing that is needed, and a kind of event that is new to us must not end the call
        return
    }
  }

  /** Counts are totals, not additions; what an event leaves out stays as it was. */
  #count(usage: Anthropic.Usage | Anthropic.MessageDeltaUsage): void {
    const before = this.#tokens
    this.#tokens = {
      inputTokens: usage.input_tokens ?? before?.inputTokens ?? 0,
      outputTokens: usage.output_tokens ?? before?.outputTokens ?? 0,
      cacheReadTokens: usage.cache_read_input_tokens ?? before?.cacheReadTokens ?? 0,
      cacheWriteTokens: usage.cache_creation_input_tokens ?? before?.cacheWriteTokens ?? 0,
    }
  }

  #extend(index: number, delta: Anthropic.RawContentBlockDelta): void {
    const open = this.#blocks[index]
    if (!open) return
    const { block } = open
    switch (delta.type) {
      case 'text_delta':
        append(block, 'text', delta.text)
        return
      case 'thinking_delta':
        append(block, 'thinking', delta.thinking)
        return
      case 'signature_delta':
        block.signature = delta.signature
        return
      case 'citations_delta': {
        const before = block.citations
        block.citations = [...(Array.isArray(before) ? before : []), plain(delta.citation)]
        return
      }
      case 'input_json_delta':
        open.json += delta.partial_json
        return
      default:
        return
    }
  }

  result(): Collected {
    const toolUses: ToolUse[] = []
    const brokenToolUses: Collected['brokenToolUses'] = []
    // a block that says nothing must not be sent back: the API refuses empty text
    const open = this.#blocks.filter(({ block }) => !(block.type === 'text' && block.text === ''))
    for (const { block, json } of open) {
      // blocks that are new to us may be given arguments too, and go back whole
      if (block.type !== 'tool_use' && json === '') continue
      const input = json === '' ? block.input : parsed(json)
      if (input === undefined) brokenToolUses.push({ name: String(block.name ?? block.type), raw: json })
      else block.input = input
      // only these are ours to answer: tools of the provider's own are answered in the same content
      if (block.type === 'tool_use' && input !== undefined)
        toolUses.push({ id: String(block.id), name: String(block.name), input })
    }
    return {
      content: open.map(({ block }) => block),
      text: open
        .map(({ block }) => (block.type === 'text' && typeof block.text === 'string' ? block.text : ''))
        .join(''),
      toolUses,
      brokenToolUses,
      stop: this.#stop,
      stopDetails: this.#stopDetails,
      tokens: this.#tokens,
      whole: this.#whole,
    }
  }
}

const parsed = (json: string): Json | undefined => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
