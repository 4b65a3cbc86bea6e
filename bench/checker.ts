// The checker: what must hold of every run, told from journals and ledgers alone. It knows nothing of the engine.
import type { JournalEvent, ModelCall, ToolCall } from './lib/records.ts'

export type ViolationKind =
  /** An accepted run that has not ended when everything has been well for long. */
  | 'not_ended'
  /** Ended otherwise than it must. */
  | 'wrong_end'
  /** The output is not what the workflow computes. */
  | 'wrong_output'
  /** Journal numbers are not 1..n, or times run back. */
  | 'journal_gap'
  /** A step completed twice. */
  | 'completed_twice'
  /** Something other than cost.noted after the end. */
  | 'after_end'
  /** A tool was called more often than once and the deaths that hit the call. */
  | 'tool_called_again'
  /** The same of the model. */
  | 'model_called_again'
  /** The journal has a completion that no ledger knows. */
  | 'never_called'
  /** Nothing happened for longer than a recovery may take. */
  | 'stalled'

export interface Violation {
  kind: ViolationKind
  run: string
  detail: string
}

export interface Expected {
  run: string
  /** JSON of the output it must have; journaled inline. */
  output: unknown
  /** Steps that are calls of the effect tool, and of the model. */
  toolPaths: readonly string[]
  modelPaths: readonly string[]
  /** Those of the tool's that have the effect `once`: no death excuses a second call. */
  oncePaths: readonly string[]
}

export interface Bounds {
  /** Longest time between two events of a run. */
  stallMs: number
  /** Milliseconds between two times that nothing known explains, such as a dead engine. */
  waitedMs: (fromMs: number, toMs: number) => number
  /** Deaths, real ones and seeming ones, that hit the call of this effect key: of workers only, since only they call. */
  deathsOf: (key: string) => number
}

const ENDS = new Set(['run.completed', 'run.failed', 'run.cancelled'])

/** Numbers 1..n, times that never run back, nothing after the end, no step completed twice. */
export const checkJournal = (run: string, events: readonly JournalEvent[]): Violation[] => {
  const found: Violation[] = []
  const completed = new Set<string>()
  let ended: JournalEvent | null = null
  for (const [i, event] of events.entries()) {
    const before = events[i - 1]
    if (event.seq !== i + 1) found.push({ kind: 'journal_gap', run, detail: `number ${event.seq} in place ${i + 1}` })
    if (before && event.atMs < before.atMs)
      found.push({ kind: 'journal_gap', run, detail: `time runs back at number ${event.seq}` })
    if (ended && event.type !== 'cost.noted')
      found.push({ kind: 'after_end', run, detail: `${event.type} after ${ended.type}` })
    if (event.type === 'step.completed' && event.path !== undefined) {
      if (completed.has(event.path)) found.push({ kind: 'completed_twice', run, detail: event.path })
      completed.add(event.path)
    }
    if (ENDS.has(event.type)) ended = event
  }
  return found
}

const checkEnd = ({ run, output }: Expected, events: readonly JournalEvent[]): Violation[] => {
  const end = events.find((event) => ENDS.has(event.type))
  if (!end)
    return [{ kind: 'not_ended', run, detail: `after ${events.length} events: ${events.at(-1)?.type ?? 'none'}` }]
  if (end.type !== 'run.completed') return [{ kind: 'wrong_end', run, detail: end.type }]
  const is = JSON.stringify(end.output && 'value' in end.output ? end.output.value : null)
  const must = JSON.stringify(output)
  return is === must ? [] : [{ kind: 'wrong_output', run, detail: `${is}, not ${must}` }]
}

const checkPace = (run: string, events: readonly JournalEvent[], { stallMs, waitedMs }: Bounds): Violation[] =>
  events.flatMap((event, i): Violation[] => {
    const before = events[i - 1]
    // a case waits for a person, or for a late answer, as long as it takes
    if (before?.type === 'step.escalated') return []
    const waited = before ? waitedMs(before.atMs, event.atMs) : 0
    if (waited <= stallMs) return []
    return [{ kind: 'stalled', run, detail: `${waited} ms before ${event.type} ${event.path ?? ''}` }]
  })

const counts = (calls: readonly { key: string }[]): Map<string, number> => {
  const sums = new Map<string, number>()
  for (const { key } of calls) sums.set(key, (sums.get(key) ?? 0) + 1)
  return sums
}

/** Looks at every accepted run, and at every call in the ledgers. */
export const check = (
  expected: readonly Expected[],
  journals: ReadonlyMap<string, readonly JournalEvent[]>,
  ledgers: { tools: readonly ToolCall[]; model: readonly ModelCall[] },
  bounds: Bounds,
): Violation[] => {
  const found: Violation[] = []
  const tools = counts(ledgers.tools)
  const model = counts(ledgers.model)
  for (const one of expected) {
    const { run } = one
    const events = journals.get(run) ?? []
    found.push(...checkJournal(run, events), ...checkEnd(one, events), ...checkPace(run, events, bounds))
    const completed = new Set(
      events.flatMap((event) => (event.type === 'step.completed' && event.path ? [event.path] : [])),
    )
    const ledger = (paths: readonly string[], calls: Map<string, number>, kind: ViolationKind): void => {
      for (const path of paths) {
        const key = `default/${run}/${path}`
        const count = calls.get(key) ?? 0
        const most = one.oncePaths.includes(path) ? 1 : 1 + bounds.deathsOf(key)
        if (count > most) found.push({ kind, run, detail: `${path} ${count} times` })
        if (completed.has(path) && count === 0) found.push({ kind: 'never_called', run, detail: path })
      }
    }
    ledger(one.toolPaths, tools, 'tool_called_again')
    ledger(one.modelPaths, model, 'model_called_again')
  }
  return found
}

/** An agent's model calls: every turn finished once and called once, but for one more call of a killed one. */
export const checkAgentCalls = (
  events: readonly JournalEvent[],
  calls: readonly ModelCall[],
  wanted: { run: string; turns: number; killed: readonly string[] },
): string[] => {
  const { run, turns, killed } = wanted
  const problems = checkJournal(run, events).map(({ kind, detail }) => `${kind}: ${detail}`)
  const finished = events.filter(
    (event) => event.type === 'step.completed' && /\/turn-\d+\/llm$/.test(event.path ?? ''),
  )
  if (finished.length !== turns) problems.push(`${finished.length} turns are completed, not ${turns}`)
  const called = counts(calls)
  const answered = counts(calls.filter((call) => call.outcome === 'answered'))
  for (const { path } of finished) {
    const key = `default/${run}/${path}`
    const count = called.get(key) ?? 0
    if (count > (killed.includes(key) ? 2 : 1)) problems.push(`${path} was called ${count} times`)
    if ((answered.get(key) ?? 0) === 0) problems.push(`${path} is completed, but the model never answered it`)
  }
  if (called.size !== turns) problems.push(`${called.size} different calls reached the model, not ${turns}`)
  return problems
}
