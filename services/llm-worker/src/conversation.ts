// The conversation of an agent's turn, put together from the journal entries that its task names.
//
// What must stay true: every tool use is answered by exactly one result, whatever happened to it (a provider refuses
// the conversation otherwise), and the same history gives the same messages on every worker.
//
// Entries are kept, so that a turn reads only what the turn before it added. Sequence numbers are only unique within one life of a
// run: a run that ended can be started anew under its id. So the first entry is read each time and compared; when it is
// another one, all that was kept is dropped.
import {
  type Event,
  failure,
  isBlob,
  type Json,
  type LlmInput,
  type Payload,
  type ToolResult,
  type TurnOutput,
  turnOutputSchema,
} from '@stepfleet/contracts'
import { type RunRecord, TaskFailure } from '@stepfleet/runtime'
import type { ModelMessage } from './providers/provider.ts'

/** One journal entry as a part of the conversation. */
type Part =
  | { kind: 'answer'; turn: number; answer: TurnOutput }
  | { kind: 'result'; turn: number; use: number; isError: boolean; content: string }
  /** An entry that says nothing to the model. */
  | { kind: 'nothing' }

interface Kept {
  /** Tells one life of a run from another. */
  mark: string
  part: Part
  bytes: number
}

interface Conversation {
  parts: Map<number, Kept>
  bytes: number
}

export interface ConversationSource {
  ns: string
  run: string
  record: Pick<RunRecord, 'events' | 'blob'>
}

export interface Conversations {
  /** The messages to send. Throws TaskFailure `connection_failed` when the record cannot be read. */
  messages(source: ConversationSource, input: LlmInput): Promise<ModelMessage[]>
  /** Bytes kept, about. */
  size(): number
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** An operator may override a model call with any value: then that is what the model is taken to have said. */
const answerOf = (value: Json): TurnOutput => {
  const parsed = turnOutputSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const text = textOf(value)
  return { content: [{ type: 'text', text }], text, toolUses: [] }
}

/** Which part of the agent a path is: `<agent>/turn-3/llm` or `<agent>/turn-3/tool-0`. */
const placeOf = (path: string, agent: string): { turn: number; use: number | null } | null => {
  if (!path.startsWith(`${agent}/`)) return null
  const match = /^turn-(\d+)\/(?:llm|tool-(\d+))$/.exec(path.slice(agent.length + 1))
  return match ? { turn: Number(match[1]), use: match[2] === undefined ? null : Number(match[2]) } : null
}

const partOf = async (event: Event, agent: string, load: (payload: Payload) => Promise<Json>): Promise<Part> => {
  const place = 'path' in event && event.path !== undefined ? placeOf(event.path, agent) : null
  if (!place) return { kind: 'nothing' }
  const { turn, use } = place
  switch (event.type) {
    case 'step.completed':
    case 'step.overridden': {
      const value = await load(event.output)
      if (use === null) return { kind: 'answer', turn, answer: answerOf(value) }
      return { kind: 'result', turn, use, isError: false, content: textOf(value) }
    }
    case 'step.failed':
      if (use === null) return { kind: 'nothing' }
      return { kind: 'result', turn, use, isError: true, content: `${event.failure.code}: ${event.failure.message}` }
    case 'step.skipped': {
      if (use === null) return { kind: 'nothing' }
      const why = event.reason ? `: ${event.reason}` : ''
      return { kind: 'result', turn, use, isError: true, content: `skipped by operator${why}` }
    }
    default:
      return { kind: 'nothing' }
  }
}

const resultsOf = (answer: TurnOutput, results: ReadonlyMap<number, Part>): ToolResult[] =>
  answer.toolUses.map(({ id }, use) => {
    const part = results.get(use)
    if (part?.kind !== 'result') return { id, isError: true, content: 'unknown: no result of this tool was recorded' }
    return { id, isError: part.isError, content: part.content }
  })

/** The turns in order: what the model said, then one result for each tool it asked for. */
const assemble = (parts: readonly Part[]): ModelMessage[] => {
  const answers = new Map<number, TurnOutput>()
  const results = new Map<number, Map<number, Part>>()
  for (const part of parts) {
    if (part.kind === 'answer') answers.set(part.turn, part.answer)
    if (part.kind !== 'result') continue
    const turn = results.get(part.turn) ?? new Map<number, Part>()
    results.set(part.turn, turn.set(part.use, part))
  }
  return [...answers.entries()]
    .sort(([a], [b]) => a - b)
    .flatMap(([turn, answer]): ModelMessage[] => [
      { role: 'answer', ...answer },
      ...(answer.toolUses.length === 0
        ? []
        : [{ role: 'results' as const, results: resultsOf(answer, results.get(turn) ?? new Map()) }]),
    ])
}

const bytesOf = (part: Part): number => JSON.stringify(part).length + 100

class CachedConversations implements Conversations {
  readonly #maxBytes: number
  /** Least recently used first. */
  readonly #kept = new Map<string, Conversation>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  size(): number {
    return this.#bytes
  }

  async messages(source: ConversationSource, input: LlmInput): Promise<ModelMessage[]> {
    const prompt = input.messages.map(({ role, content }): ModelMessage => ({ role, text: content }))
    const { agent } = input
    if (!agent || agent.history.length === 0) return prompt
    const key = `${source.ns}/${source.run}/${agent.path}`
    const parts = await this.#read(source, agent.path, agent.history, this.#kept.get(key)?.parts ?? new Map())
    this.#keep(key, parts)
    return [...prompt, ...assemble(agent.history.flatMap((seq) => parts.get(seq)?.part ?? []))]
  }

  /** The history's entries, those known already taken from `known` if it is of the same life of the run. */
  async #read(source: ConversationSource, agent: string, history: readonly number[], known: ReadonlyMap<number, Kept>) {
    const [first, ...rest] = history
    if (first === undefined) return new Map<number, Kept>()
    const fresh = await this.#fetch(source, agent, [first, ...rest.filter((seq) => !known.has(seq))])
    if (known.size > 0 && known.get(first)?.mark !== fresh.get(first)?.mark) return this.#fetch(source, agent, history)
    return new Map([...known, ...fresh])
  }

  async #fetch(
    { ns, run, record }: ConversationSource,
    agent: string,
    seqs: readonly number[],
  ): Promise<Map<number, Kept>> {
    const load = async (payload: Payload): Promise<Json> =>
      isBlob(payload) ? record.blob(ns, run, payload.blob) : payload.value
    try {
      const events = await record.events(ns, run, seqs)
      const kept = await Promise.all(
        events.map(async (event): Promise<[number, Kept]> => {
          const part = await partOf(event, agent, load)
          return [event.seq, { mark: `${event.atMs} ${event.command}`, part, bytes: bytesOf(part) }]
        }),
      )
      return new Map(kept)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new TaskFailure(
        failure('connection_failed', `the turns before this one could not be read: ${why}`, {
          details: { notSent: true, record: true },
        }),
      )
    }
  }

  #keep(key: string, parts: Map<number, Kept>): void {
    this.#drop(key)
    const bytes = [...parts.values()].reduce((sum, kept) => sum + kept.bytes, 0)
    if (bytes > this.#maxBytes) return
    this.#kept.set(key, { parts, bytes })
    this.#bytes += bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0
    this.#kept.delete(key)
  }
}

/** Conversations kept up to `maxBytes` together; the least recently used leave first. */
export const createConversations = (maxBytes: number): Conversations => new CachedConversations(maxBytes)
