// reference: a slow and obvious reading of docs/reference/workflow.md: how a run of a definition must end. It shares no
// code with the engine (it takes types only), so that the two are right or wrong apart.
//
// Tasks answer by path and people decide by path, so the order of things cannot change what comes out. Where order
// decides by nature (who is first in `any`, which of two failures takes the block down), every order is legal: the
// interpreter takes the one that `world.seen` shows, if it is one of the legal ones, and marks as `cut` what may as
// well have been cancelled meanwhile, or never have begun.
import type { Definition, Json, StepDefinition } from '@stepfleet/contracts'
import { agent, attemptsOf, child, effectOf, task } from './reference-kinds.ts'
import {
  cut,
  escalates,
  type Failed,
  failed,
  finish,
  guarded,
  type Machine,
  mayGoOn,
  ok,
  type Policy,
  part,
  type Raw,
  record,
  type Spot,
  seenOf,
  takeDown,
} from './reference-parts.ts'
import {
  ANY,
  type Cause,
  type Ended,
  type Env,
  errorOf,
  type Instance,
  needsOf,
  type ReferenceWorld,
  render,
  type Seen,
} from './reference-values.ts'

export interface Interpreted {
  status: 'completed' | 'failed' | 'cancelled'
  output: Json
  failure: Cause | null
  steps: ReadonlyMap<string, Ended>
  /** Paths as they ended, in one legal order. */
  order: readonly string[]
  /** By path: what had to end first. */
  needs: ReadonlyMap<string, readonly string[]>
  /** Paths of the compensations that must run, newest first by `order`. */
  compensations: readonly string[]
}

const body = (m: Machine, spot: Spot): Raw => {
  const { step, path, env } = spot
  if (step.value !== undefined) return ok(render(step.value, env))
  const hasFallback = step.fallback !== undefined
  if (step.steps) return block(m, { steps: step.steps, output: step.output, path, env, hasFallback })
  if (step.agent) return agent(m, spot)
  if (step.run !== undefined) return child(m, path, step.run, env)
  if (step.approval) return ok({ approved: m.world.approves(path), by: ANY, at: ANY, reason: ANY, edits: null })
  if (step.wait !== undefined) return ok({ at: ANY })
  if (step.signal !== undefined)
    return ok(m.world.signal(typeof step.signal === 'string' ? step.signal : step.signal.name))
  const effect = step.tool === undefined ? 'read' : effectOf(step.tool)
  const given = step.tool === undefined ? null : render(step.with ?? {}, env)
  const models = 1 + (step.llm?.fallback?.length ?? 0)
  return judged(step, env, task(m, path, given, { effect, attempts: attemptsOf(step), models }))
}

/** An answer that is not sure enough is none. */
const judged = ({ confidence }: StepDefinition, env: Env, raw: Raw): Raw => {
  if (!confidence || raw.status !== 'completed') return raw
  const sure = render(confidence.from, { ...env, vars: { ...env.vars, output: raw.output } })
  if (typeof sure !== 'number') return failed('expression_failed')
  return sure >= confidence.min ? raw : failed('low_confidence')
}

/** What is done in place of a step that failed for good, unless a person decides first. */
const orElse = (m: Machine, spot: Spot, run: (opensCase: (raw: Failed) => boolean) => Raw): Raw => {
  const { step, path, env, policy } = spot
  const { fallback } = step
  const asks = escalates(policy, env.replaced)
  const raw = run((one) => asks(one) && !(fallback && mayGoOn(one)))
  if (raw.status !== 'failed' || !fallback || !mayGoOn(raw)) return raw
  const at = `${path}/fallback-1`
  const instead = part(m, at, asks, () => body(m, { ...spot, step: fallback, path: at }))
  record(m, at, instead)
  return isDone(instead) ? ok(instead.output) : instead
}

/** What is asked for once: a person opens its gate first, and what it has done can be undone. */
const once = (m: Machine, spot: Spot): Raw => {
  const { step, path, env } = spot
  const raw = orElse(m, spot, (opensCase) =>
    part(m, path, opensCase, () => {
      if (step.gate && !m.world.approves(path)) return { ...failed('gate_rejected'), decided: true }
      return body(m, spot)
    }),
  )
  if (step.compensate && (raw.status === 'completed' || raw.status === 'overridden')) {
    m.undo.set(path, { by: step.compensate, env: { ...env, vars: { ...env.vars, output: raw.output } } })
  }
  return raw
}

const repeat = (m: Machine, spot: Spot, { until, max, on_max }: NonNullable<StepDefinition['repeat']>): Raw => {
  let previous: Json = null
  for (let count = 1; count <= max; count += 1) {
    const path = `${spot.path}/iter-${count}`
    const env = { ...spot.env, vars: { ...spot.env.vars, previous } }
    const raw = once(m, { ...spot, path, env })
    record(m, path, raw)
    if (raw.status === 'failed') return raw
    const after = { ...env, vars: { ...env.vars, output: raw.output } }
    if (until !== undefined && render(until, after) === true) return ok(raw.output)
    previous = raw.output
  }
  return until !== undefined && on_max === 'fail' ? failed('max_iterations_exceeded') : ok(previous)
}

/** A step without `each`, or one item. */
const single = (m: Machine, spot: Spot): Ended => {
  const { step, path, policy, env } = spot
  const { repeat: again } = step
  const asks = escalates(policy, env.replaced)
  return finish(m, spot, again ? part(m, path, asks, () => repeat(m, spot, again)) : once(m, spot))
}

type Each = Exclude<NonNullable<StepDefinition['each']>, string>

const each = (m: Machine, spot: Spot, plan: Each): Raw => {
  const items = render(plan.in, spot.env)
  if (!Array.isArray(items)) return failed('each_failed')
  const join = plan.join ?? 'all'
  const taken = spot.env.taken || join !== 'all'
  const ends = items.map((item, index) => {
    const vars = { ...spot.env.vars, [plan.as ?? 'item']: item, index }
    const path = `${spot.path}[${index}]`
    return single(m, {
      ...spot,
      path,
      env: { ...spot.env, vars, taken },
      policy: join === 'all' ? spot.policy : 'result',
    })
  })
  if (join === 'all') {
    const outward = ends.flatMap((end, index) => (end.outward ? [`${spot.path}[${index}]`] : []))
    const down = takeDown(m, spot.path, outward)
    return down ? { ...down, decided: true } : ok(ends.map((end) => end.output))
  }
  if (join === 'settled') return ok(ends.map(resultOf))
  return race(m, spot.path, ends, join)
}

const resultOf = ({ status, output, error }: Ended): Json => ({ status, output, error: errorOf(error) })

const isDone = (end: Ended | Raw | undefined): end is Exclude<Ended | Raw, { status: 'failed' }> =>
  end?.status === 'completed' || end?.status === 'overridden'

/** True for a step that the history shows as it must be. */
const isAsSeen = (end: Ended | undefined, { status }: Seen): boolean =>
  status === end?.status || (status === 'compensated' && isDone(end))

/** `any` and `atLeast`: as soon as enough have completed the others are cancelled. */
const race = (m: Machine, group: string, ends: readonly Ended[], join: 'any' | { atLeast: number }): Raw => {
  const least = join === 'any' ? 1 : join.atLeast
  const paths = ends.map((_, index) => `${group}[${index}]`)
  const winners = paths.filter((path) => isDone(m.ends.get(path)))
  if (winners.length < least) {
    // with one missing, the last items need not be waited for
    if (least > 1) cut(m, group, null)
    return failed('each_failed')
  }
  const shown = seenOf(m, paths, (seen, path) => isAsSeen(m.ends.get(path), seen))
  const seen = shown.filter((path) => winners.includes(path))
  // more than enough may complete in the same instant; fewer are no legal end, so that one is made up
  const counted = seen.length < least ? winners.slice(0, least) : seen
  for (const path of paths) if (!counted.includes(path)) cut(m, path, null)
  const first = paths.indexOf(counted[0] ?? '')
  if (join === 'any') return ok({ index: first, output: ends[first]?.output ?? null })
  const cancelled: Json = { status: 'cancelled', output: null, error: null }
  return ok(
    ends.map((end, index) => {
      const path = paths[index] ?? ''
      return counted.includes(path) || (!isDone(end) && shown.includes(path)) ? resultOf(end) : cancelled
    }),
  )
}

/** A step whose needs have ended: its condition, then its items or itself. */
const run = (m: Machine, step: StepDefinition, path: string, env: Env): Ended => {
  const policy: Policy = step.on_failure ?? (env.taken ? 'outward' : undefined)
  const spot = { step, path, env, policy }
  let goes: Json = true
  const isWhole = step.each !== undefined || step.repeat !== undefined
  const gone = orElse(m, isWhole ? { ...spot, step: { ...step, fallback: undefined } } : spot, (opensCase) =>
    part(m, path, opensCase, () => {
      goes = typeof step.if === 'string' ? render(step.if, env) : (step.if ?? true)
      return typeof goes === 'boolean' ? { status: 'skipped', output: null } : failed('expression_failed')
    }),
  )
  if (typeof goes !== 'boolean') return finish(m, spot, gone)
  if (!goes) return record(m, path, { status: 'skipped', output: null })
  if (step.each === undefined) return single(m, spot)
  const plan = typeof step.each === 'string' ? { in: step.each } : step.each
  return finish(
    m,
    spot,
    part(m, path, escalates(policy, env.replaced), () => each(m, spot, plan)),
  )
}

const endOf = (m: Machine, name: string, instance: Instance, env: Env): Ended | null => {
  const known = instance.ends.get(name)
  const step = instance.steps[name]
  if (known !== undefined || !step) return known ?? null
  const needs = needsOf(
    step,
    Object.keys(instance.steps).filter((other) => other !== name),
  )
  const ends = needs.map((need) => ({ need, end: endOf(m, need, instance, env) }))
  const anyOf = ends.filter(({ need }) => step.needs_any?.includes(need))
  const isSkipped =
    ends.some(({ need, end }) => end?.status === 'skipped' && !step.needs_any?.includes(need)) ||
    (anyOf.length > 0 && !anyOf.some(({ end }) => hasOutput(end)))
  const never = ends.some(({ end }) => end === null || end.outward)
  const path = instance.prefix + name
  m.needs.set(
    path,
    needs.map((need) => instance.prefix + need),
  )
  const end = never ? null : isSkipped ? record(m, path, { status: 'skipped', output: null }) : run(m, step, path, env)
  instance.ends.set(name, end)
  return end
}

const block = (
  m: Machine,
  one: Pick<StepDefinition, 'output'> & {
    steps: Record<string, StepDefinition>
    path: string
    env: Env
    hasFallback: boolean
  },
): Raw => {
  const { steps, path } = one
  const instance: Instance = { steps, prefix: path === '' ? '' : `${path}/`, ends: new Map() }
  const replaced = one.env.replaced || one.hasFallback
  const env = { ...one.env, replaced, instances: [instance, ...one.env.instances] }
  const ends = Object.keys(steps).map((name) => ({ name, end: endOf(m, name, instance, env) }))
  const outward = ends.flatMap(({ name, end }) => (end?.outward ? [instance.prefix + name] : []))
  const down = takeDown(m, path, outward)
  if (down) return down
  if (one.output !== undefined) return ok(render(one.output, env))
  return ok(Object.fromEntries(ends.map(({ name, end }) => [name, end?.output ?? null])))
}

/** Undoes what has completed; what may have been cancelled is undone if the history shows that it completed. */
const compensate = (m: Machine): string[] => {
  const undone: string[] = []
  const compensated: Ended[] = []
  for (const done of m.order.toReversed()) {
    const end = m.ends.get(done)
    const undo = m.undo.get(done)
    const seen = m.world.seen(done)
    if (!undo || !end || !isDone(end) || (end.cut && !(seen && isAsSeen(end, seen)))) continue
    const path = `${done}/compensate-1`
    const spot = { step: undo.by, path, env: undo.env, policy: 'escalate' as const }
    const raw = part(m, path, escalates('escalate', false), () => body(m, spot))
    record(m, path, raw)
    undone.push(path)
    if (isDone(m.ends.get(path))) compensated.push(end)
  }
  // a compensation knows what its step knew: only now is it said of them
  for (const end of compensated) end.status = 'compensated'
  return undone
}

/** How a run of the definition ends in this world. */
/** A step that may be skipped stands for the others when it has completed, or failed with a value in its place. */
const hasOutput = (end: Ended | null): boolean =>
  end?.status === 'completed' || end?.status === 'overridden' || (end?.status === 'failed' && end.output !== null)

export const interpret = (definition: Definition, input: Json, world: ReferenceWorld): Interpreted => {
  const m: Machine = {
    world,
    ends: new Map(),
    order: [],
    attempts: new Map(),
    cases: new Map(),
    undo: new Map(),
    needs: new Map(),
    models: new Map(),
  }
  const env = { vars: { input }, instances: [], taken: false, replaced: false }
  const whole = { steps: definition.steps, output: definition.output, path: '', env, hasFallback: false }
  const raw = guarded(() => block(m, whole))
  if (world.cancelled) cut(m, '', null)
  const isDone = raw.status !== 'failed' && !world.cancelled
  const compensations = isDone ? [] : compensate(m)
  return {
    status: world.cancelled ? 'cancelled' : isDone ? 'completed' : 'failed',
    output: raw.status === 'failed' ? null : raw.output,
    failure: raw.status === 'failed' ? raw.cause : null,
    steps: m.ends,
    order: m.order,
    needs: m.needs,
    compensations,
  }
}
