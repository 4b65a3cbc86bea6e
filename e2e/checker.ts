// What must hold for every run, whatever was killed: judged from journals and ledgers alone, with no code of the
// system under test. checker.test.ts shows that each rule can fail.
import type { JournalEvent } from './api.ts'
import type { EffectLine, ModelLine } from './ledgers.ts'

export interface Violation {
  rule: string
  /** Run or effect key. */
  of: string
  detail: string
}

const RUN_ENDS = new Set(['run.completed', 'run.failed', 'run.cancelled'])
const STEP_ENDS = new Set(['step.completed', 'step.failed', 'step.skipped', 'step.overridden'])

/** The rules of one history. `ended`: the run must have come to its end. */
export const checkJournal = (run: string, events: readonly JournalEvent[], ended = true): Violation[] => {
  const found: Violation[] = []
  const broken = (rule: string, event: JournalEvent | undefined, detail: string): void => {
    found.push({ rule, of: run, detail: event ? `${event.seq} ${event.type}: ${detail}` : detail })
  }
  const stepEnds = new Map<string, string>()
  const out = new Map<string, { attempt: number; delivery: number }>()
  let runEnd: string | null = null
  let lastAtMs = 0
  for (const [index, event] of events.entries()) {
    const { path, type } = event
    if (event.seq !== index + 1) broken('sequence', event, `at place ${index + 1}`)
    if (event.atMs < lastAtMs) broken('time', event, `${event.atMs} after ${lastAtMs}`)
    lastAtMs = Math.max(lastAtMs, event.atMs)
    if ((type === 'run.started') !== (index === 0)) broken('started once', event, `at place ${index + 1}`)
    if (runEnd !== null && type !== 'cost.noted') broken('nothing after the end', event, `after ${runEnd}`)
    if (RUN_ENDS.has(type)) runEnd = type
    if (path === undefined) continue
    if (type === 'step.dispatched') {
      if (stepEnds.has(path)) broken('no skip back', event, `${path} had ended`)
      const { attempt = 0, delivery = 0 } = event
      const last = out.get(path)
      const grows =
        last === undefined || attempt > last.attempt || (attempt === last.attempt && delivery === last.delivery + 1)
      if (!grows) broken('deliveries grow', event, `${path} ${attempt}.${delivery} after ${JSON.stringify(last)}`)
      out.set(path, { attempt, delivery })
    }
    if (STEP_ENDS.has(type)) {
      const before = stepEnds.get(path)
      if (before !== undefined) broken('ends once', event, `${path} ended before by ${before}`)
      stepEnds.set(path, type)
    }
  }
  if (ended && runEnd === null) broken('no loss', undefined, `not ended after ${events.length} events`)
  return found
}

/**
 * I3, paid once: a model call is answered at most once per effect key, and once more for each crash that hit it.
 * `crashes`: by key, counted by the test that made them.
 */
export const checkPaidOnce = (
  lines: readonly ModelLine[],
  crashes: ReadonlyMap<string, number> = new Map(),
): Violation[] => {
  const answered = new Map<string, number>()
  for (const line of lines) if (line.outcome === 'answered') answered.set(line.key, (answered.get(line.key) ?? 0) + 1)
  return [...answered].flatMap(([key, count]) => {
    const allowed = 1 + (crashes.get(key) ?? 0)
    return count <= allowed ? [] : [{ rule: 'paid once', of: key, detail: `${count} answers, ${allowed} allowed` }]
  })
}

/** I5: so many executions of a tool per effect key at most; a tool of effect `once` has one. */
export const checkEffects = (
  lines: readonly EffectLine[],
  crashes: ReadonlyMap<string, number> = new Map(),
): Violation[] => {
  const begun = new Map<string, number>()
  for (const line of lines) if (line.phase === 'begun') begun.set(line.key, (begun.get(line.key) ?? 0) + 1)
  return [...begun].flatMap(([key, count]) => {
    const allowed = 1 + (crashes.get(key) ?? 0)
    return count <= allowed ? [] : [{ rule: 'ran once', of: key, detail: `${count} executions, ${allowed} allowed` }]
  })
}
