// Holds the scripted model's ledger against a run's journal: was every finished model call made exactly once?
import { readFileSync } from 'node:fs'
import { type Event, effectKey } from '@stepfleet/contracts'

/** The part of a ledger line that is compared; a call has a `begun` line and one that says how it ended. */
export interface LedgerLine {
  /** Number of the call. */
  n: number
  key: string
  outcome: string
}

/** Lines of the file; a torn last line is left out. */
export const readLedger = (file: string): LedgerLine[] => {
  const text = readFileSync(file, 'utf8')
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerLine)
}

export interface LedgerVerdict {
  ok: boolean
  /** Model calls that the journal has as completed. */
  completed: number
  /** Calls that reached the server for this run, and how many of them were answered. */
  calls: number
  answered: number
  /** Calls beyond the first one, per effect key. */
  extra: { key: string; calls: number; answered: number }[]
  /** In words; empty when all is well. */
  problems: string[]
}

/**
 * A step that no crash hit is called once and answered once. A step whose worker was killed (`killed`: paths) may
 * have been called once more: the call that was in flight then.
 */
export const checkLedger = (
  lines: readonly LedgerLine[],
  events: readonly Event[],
  run: { ns: string; id: string; killed: readonly string[] },
): LedgerVerdict => {
  const prefix = effectKey(run.ns, run.id, '')
  const last = new Map<number, LedgerLine>()
  for (const line of lines) if (line.key.startsWith(prefix)) last.set(line.n, line)
  const perKey = new Map<string, { calls: number; answered: number }>()
  for (const { key, outcome } of last.values()) {
    const seen = perKey.get(key) ?? { calls: 0, answered: 0 }
    perKey.set(key, { calls: seen.calls + 1, answered: seen.answered + (outcome === 'answered' ? 1 : 0) })
  }
  const keys = new Set<string>()
  const problems: string[] = []
  for (const event of events) {
    if (event.type !== 'step.completed' || !event.usage) continue
    const key = effectKey(run.ns, run.id, event.path)
    if (keys.has(key)) problems.push(`${event.path} completed twice in the journal`)
    keys.add(key)
    const allowed = run.killed.includes(event.path) ? 2 : 1
    const { calls, answered } = perKey.get(key) ?? { calls: 0, answered: 0 }
    if (answered < 1) problems.push(`${event.path} is completed in the journal, but the model never answered it`)
    if (calls > allowed) problems.push(`${event.path} was called ${calls} times`)
  }
  for (const [key, { calls }] of perKey)
    if (!keys.has(key)) problems.push(`${key} was called ${calls} times, but the journal has no completion of it`)
  const all = [...perKey.values()]
  return {
    ok: problems.length === 0 && keys.size > 0,
    completed: keys.size,
    calls: all.reduce((sum, { calls }) => sum + calls, 0),
    answered: all.reduce((sum, { answered }) => sum + answered, 0),
    extra: [...perKey].filter(([, { calls }]) => calls > 1).map(([key, counts]) => ({ key, ...counts })),
    problems: keys.size === 0 ? [...problems, 'the journal has no completed model call'] : problems,
  }
}
