// The parts of a run as the reference interpreter knows them: how they come out, who decides on a failure, what was cut.
import type { FailureClass, FailureCode, Json, StepDefinition } from '@stepfleet/contracts'
import {
  type Cause,
  type Ended,
  type Env,
  ExpressionFailed,
  type ReferenceWorld,
  type Seen,
} from './reference-values.ts'

/** How a part came out, before its policy: `inner` when something inside of it failed, `decided` when a person gave it up. */
export type Raw =
  | { status: 'completed' | 'skipped' | 'overridden'; output: Json }
  | { status: 'failed'; cause: Cause; inner?: boolean; decided?: boolean }
export type Failed = Extract<Raw, { status: 'failed' }>
/** `result`: of an item whose join takes failures. `outward`: nothing was said, inside of such an item. */
export type Policy = StepDefinition['on_failure'] | 'outward' | 'result'

export interface Machine {
  world: ReferenceWorld
  ends: Map<string, Ended>
  order: string[]
  needs: Map<string, readonly string[]>
  attempts: Map<string, number>
  cases: Map<string, number>
  /** By path of the agent: which of its models answers now. */
  models: Map<string, number>
  undo: Map<string, { by: NonNullable<StepDefinition['compensate']>; env: Env }>
}
/** A step, an item or an iteration: what it is in the definition, and where it stands. */
export interface Spot {
  step: StepDefinition
  path: string
  env: Env
  policy: Policy
}

export const ok = (output: Json): Raw => ({ status: 'completed', output })
export const failed = (code: FailureCode, failureClass: FailureClass = 'permanent'): Failed => ({
  status: 'failed',
  cause: { code, class: failureClass },
})

const FINAL: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'gate_rejected',
  'failed_by_operator',
  'deadline_exceeded',
])

/** Another way may be tried after a failure that is known, and that nobody has decided on. */
export const mayGoOn = ({ cause }: Failed): boolean => cause.class !== 'ambiguous' && !FINAL.has(cause.code)

/**
 * A case is opened for a failure that says `escalate`, and for one of its own that nothing is said of, unless what is
 * around it has a fallback.
 */
export const escalates =
  (policy: Policy, replaced: boolean) =>
  (raw: Failed): boolean => {
    const isTaken = replaced && mayGoOn(raw)
    const isUnknown = policy === 'fail' && raw.cause.class === 'ambiguous' && !raw.inner
    return !raw.decided && (policy === 'escalate' || isUnknown || (policy === undefined && !raw.inner && !isTaken))
  }

export const guarded = (run: () => Raw): Raw => {
  try {
    return run()
  } catch (error) {
    if (error instanceof ExpressionFailed) return failed('expression_failed')
    throw error
  }
}

/** What a case can be opened at: it runs until it ends, or until its failure is for its step to settle. */
export const part = (m: Machine, path: string, opensCase: (raw: Failed) => boolean, run: () => Raw): Raw => {
  for (;;) {
    const raw = guarded(run)
    if (raw.status !== 'failed' || !opensCase(raw)) return raw
    const nth = (m.cases.get(path) ?? 0) + 1
    m.cases.set(path, nth)
    const decision = m.world.decide(path, nth, m.attempts.has(path))
    if (decision === 'skip') return { status: 'skipped', output: null }
    if (decision === 'fail') return { ...failed('failed_by_operator'), decided: true }
    if (decision !== 'retry') return { status: 'overridden', output: decision.override }
  }
}

export const record = (m: Machine, path: string, raw: Raw, more: { output?: Json; outward?: boolean } = {}): Ended => {
  const isFailed = raw.status === 'failed'
  const end: Ended = {
    status: raw.status,
    output: isFailed ? (more.output ?? null) : raw.output,
    error: isFailed ? raw.cause : null,
    outward: more.outward ?? false,
    cut: false,
  }
  m.ends.set(path, end)
  m.order.push(path)
  return end
}

/** Ends a step, or an item, by what its policy says of a failure. */
export const finish = (m: Machine, { path, policy }: Spot, raw: Raw): Ended => {
  if (raw.status !== 'failed' || policy === 'continue' || policy === 'result') return record(m, path, raw)
  if (typeof policy === 'object') return record(m, path, raw, { output: policy.use })
  return record(m, path, raw, { outward: true })
}

export const isWithin = (path: string, around: string): boolean =>
  around === '' || path === around || path.startsWith(`${around}/`) || path.startsWith(`${around}[`)

/** Everything in `around` may have been cancelled, but for what is in `kept`. */
export const cut = (m: Machine, around: string, kept: string | null): void => {
  for (const [path, end] of m.ends) {
    if (isWithin(path, around) && (kept === null || !isWithin(path, kept))) end.cut = true
  }
}

/** Those that the history shows, in the order in which they ended there. */
export const seenOf = (
  m: Machine,
  paths: readonly string[],
  isMeant: (seen: Seen, path: string) => boolean,
): string[] =>
  paths
    .flatMap((path) => {
      const seen = m.world.seen(path)
      return seen && isMeant(seen, path) ? [{ path, order: seen.order }] : []
    })
    .sort((a, b) => a.order - b.order)
    .map(({ path }) => path)

/** Whichever of these failures came first takes down what is around; null: there is none. */
export const takeDown = (m: Machine, around: string, outward: readonly string[]): Failed | null => {
  const first = seenOf(m, outward, ({ status }) => status === 'failed')[0] ?? outward[0]
  const cause = first === undefined ? null : m.ends.get(first)?.error
  if (first === undefined || !cause) return null
  cut(m, around, first)
  return { status: 'failed', cause, inner: true }
}
