// For the tests: a task context without Redis, and a run record made of events in memory.
import { EVENT_VERSION, type Event, type EventBody, type Json, type LlmInput } from '@stepfleet/contracts'
import { createLogger, type RunRecord, type TaskContext } from '@stepfleet/runtime'

export const MODEL = 'anthropic/claude-sonnet-5-5'

export const llmInput = (prompt: string, more: Partial<LlmInput> = {}): LlmInput => ({
  model: MODEL,
  messages: [{ role: 'user', content: prompt }],
  settings: {},
  ...more,
})

/** Events numbered from 1, each a second after the one before it. */
export const eventsOf = (bodies: readonly EventBody[], startMs = 1_000): Event[] =>
  bodies.map((body, index) => ({
    seq: index + 1,
    atMs: startMs + index * 1_000,
    v: EVENT_VERSION,
    actor: { kind: 'worker', id: 'w1' },
    command: `c${startMs}-${index}`,
    ...body,
  }))

export interface MemoryRecord extends RunRecord {
  /** Sequence numbers asked for, one list per call. */
  asked: number[][]
}

export const memoryRecord = (events: readonly Event[] = [], blobs: Record<string, Json> = {}): MemoryRecord => {
  const asked: number[][] = []
  return {
    asked,
    events: async (_ns, _run, seqs) => {
      asked.push([...seqs])
      return seqs.map((seq) => {
        const event = events.find((one) => one.seq === seq)
        if (!event) throw new Error(`event ${seq} is missing`)
        return event
      })
    },
    blob: async (_ns, _run, sha) => blobs[sha] ?? null,
    payload: async (_ns, _run, value) => ({ value }),
  }
}

export const contextOf = (
  input: LlmInput,
  options: { signal?: AbortSignal; record?: RunRecord; path?: string } = {},
): TaskContext => {
  const path = options.path ?? 'ask'
  const effectKey = `default/r1/${path}`
  const json: Json = JSON.parse(JSON.stringify(input))
  return {
    task: {
      kind: 'llm',
      ns: 'default',
      run: 'r1',
      path,
      attempt: 2,
      delivery: 1,
      effect: 'read',
      effectKey,
      timeoutMs: 60_000,
      workflow: 'w',
      input: { value: json },
    },
    input: json,
    signal: options.signal ?? new AbortController().signal,
    attempt: 2,
    effectKey,
    log: createLogger('llm-worker', 'silent'),
    record: options.record ?? memoryRecord(),
  }
}
