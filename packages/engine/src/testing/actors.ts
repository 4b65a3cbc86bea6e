// actors: what workers, children and people of a seeded world do next with what is open in a play. With a fate they
// answer by path alone, and only the order of things is left to chance.
import type { CallbackAnswer, Command, Failure, Json, Outcome, Task, Usage } from '@stepfleet/contracts'
import type * as Engine from '../index.ts'
import type { Fate } from './fate.ts'
import type { Answer } from './reference-values.ts'

/** Chances of what goes wrong, 0 to 1; drawn per seed so that some worlds are calm and some are not. */
export interface Odds {
  fail: number
  permanent: number
  lose: number
  repeat: number
  late: number
  release: number
  reload: number
  operator: number
  /** That a person cancels the run, at each of its steps. */
  cancel: number
}

/** What the actors see of a play. */
export interface Stage {
  world: { rng: () => number; odds: Odds; answer(task: Task): Json; fate?: Fate }
  state: Engine.RunState
  events: readonly { type: string; path?: string }[]
  nowMs: number
  /** Losses of each path so far. */
  losses: Map<string, number>
}

export const NS = 'default'
export const RUN = 'r1'
const USAGE: Usage = {
  model: 'anthropic/claude-haiku-5-5',
  inputTokens: 10,
  outputTokens: 5,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  microUsd: 35,
}

export const chance = ({ world }: Pick<Stage, 'world'>, odds: number): boolean => world.rng() < odds
export const base = (id: string) => ({ id, ns: NS, run: RUN, by: { kind: 'worker' as const, id: 'w_1' } })
const byPerson = (id: string) => ({ ...base(id), by: { kind: 'operator' as const, id: 'ann' } })

/** `with` of a tool, or what the model gave it. */
const givenTo = (task: Task): Json => {
  const input = 'value' in task.input ? task.input.value : null
  const isTool = task.kind === 'tool' && typeof input === 'object' && input !== null && !Array.isArray(input)
  return isTool ? (input.with ?? null) : null
}

const failureOf = (answer: Extract<Answer, { fail: unknown }>): Failure => ({ ...answer.fail, message: 'it failed' })

const resultByChance = (stage: Stage, task: Task): Outcome['result'] => {
  const { odds, answer } = stage.world
  if (!chance(stage, odds.fail)) return { status: 'done', output: { value: answer(task) } }
  const permanent = chance(stage, odds.permanent)
  const ambiguous = task.effect === 'once' && chance(stage, 0.5)
  const failure: Failure = {
    code: permanent ? 'bad_request' : 'provider_error',
    class: ambiguous ? 'ambiguous' : permanent ? 'permanent' : 'transient',
    message: 'it failed',
  }
  return { status: 'failed', failure }
}

const resultByFate = (fate: Fate, task: Task): Outcome['result'] => {
  const answer = fate.result(task.path, task.attempt, givenTo(task))
  return 'ok' in answer
    ? { status: 'done', output: { value: answer.ok } }
    : { status: 'failed', failure: failureOf(answer) }
}

/** A task that tells somebody of a callback. */
export const isTelling = ({ kind, input }: Task): boolean =>
  kind === 'tool' && 'value' in input && JSON.stringify(input.value).startsWith('{"tool":"callback"')

/** Who is told may take it, and fail later on. */
const resultOfTelling = (stage: Stage, task: Task): Outcome['result'] => {
  const { fate } = stage.world
  const result = fate ? resultByFate(fate, task) : resultByChance(stage, task)
  return result.status === 'failed' && chance(stage, 0.5) ? result : { status: 'done', output: { value: null } }
}

const answerOf = (stage: Stage, path: string, attempt: number): CallbackAnswer => {
  const { fate, odds } = stage.world
  if (chance(stage, 0.1)) return { status: 'alive' }
  const byChance: Answer = chance(stage, odds.fail)
    ? { fail: { code: 'provider_error', class: chance(stage, odds.permanent) ? 'permanent' : 'transient' } }
    : { ok: { called: path } }
  const answer = fate ? fate.result(path, attempt, null) : byChance
  if ('ok' in answer) return { status: 'completed', output: { value: answer.ok } }
  const { code, class: of } = answer.fail
  return { status: 'failed', code, class: of, message: 'it failed' }
}

/** Somebody outside answers an attempt whose token they have. */
export const callbackOf = (stage: Stage, { path, attempt }: { path: string; attempt: number }): Command => ({
  ...base(`callback/${path}.${attempt}/${stage.events.length}`),
  type: 'callback',
  path,
  attempt,
  startedAtMs: stage.state.startedAtMs,
  answer: answerOf(stage, path, attempt),
})

/** An attempt that is waited for from outside; null: none is. */
export const awaitedOf = (stage: Stage): { path: string; attempt: number } | null => {
  const waiting = [...stage.state.steps.values()].filter(({ callback }) => callback !== null)
  const step = waiting[Math.floor(stage.world.rng() * waiting.length)]
  return step ? { path: step.path, attempt: step.attempts.at(-1)?.attempt ?? 1 } : null
}

/** A worker's answer to a task, or the task given back. */
export const outcomeOf = (stage: Stage, task: Task): Command => {
  const { odds, fate, rng } = stage.world
  const { path, attempt, delivery } = task
  const result: Outcome['result'] = chance(stage, odds.release)
    ? {
        status: 'released',
        why: 'circuit open',
        retryAfterMs: Math.floor(rng() * 50),
        ...(fate || rng() < 0.5 ? {} : { reason: 'circuit_open' as const }),
      }
    : isTelling(task)
      ? resultOfTelling(stage, task)
      : fate
        ? resultByFate(fate, task)
        : resultByChance(stage, task)
  const outcome: Outcome = {
    path,
    attempt,
    delivery,
    worker: 'w_1',
    claimedAtMs: stage.nowMs,
    durationMs: 5,
    ...(task.kind === 'llm' ? { usage: USAGE } : {}),
    result,
  }
  return { ...base(`${path}.${attempt}.${delivery}/${stage.events.length}`), type: 'outcome', outcome }
}

/** Fewer than make a poison, where the end may not depend on it. */
const HARMLESS_LOSSES = 2

/** The worker of a task died; null: this one did not. */
export const lossOf = (stage: Stage, task: Task): Command | null => {
  const { odds, fate } = stage.world
  const { path, attempt, delivery } = task
  const losses = stage.losses.get(path) ?? 0
  if (!chance(stage, odds.lose) || (fate && losses >= HARMLESS_LOSSES)) return null
  stage.losses.set(path, losses + 1)
  return {
    ...base(`lost/${path}.${attempt}.${delivery}`),
    type: 'lost',
    path,
    attempt,
    delivery,
    worker: 'w_1',
    begun: fate === undefined && task.effect === 'once' && chance(stage, 0.5),
  }
}

/** How a child ended. */
export const childOf = (stage: Stage, child: Engine.ChildStart): Command => {
  const { fate, rng } = stage.world
  const { path } = child.parent
  const input = 'value' in child.input ? child.input.value : null
  const byChance: Answer =
    rng() < 0.3
      ? { fail: { code: rng() < 0.5 ? 'child_failed' : 'child_cancelled', class: 'permanent' } }
      : { ok: { child: path } }
  const answer = fate ? fate.child(path, input) : byChance
  const about = { ...base(`child/${child.run}`), type: 'child' as const, path, child: child.run }
  if ('ok' in answer) return { ...about, result: { status: 'completed', output: { value: answer.ok } } }
  const { code } = answer.fail
  if (code === 'child_cancelled') return { ...about, result: { status: 'cancelled', by: 'ann' } }
  const failure: Failure = { code: 'bad_request', class: 'permanent', message: 'the child failed' }
  return { ...about, result: { status: code === 'child_refused' ? 'refused' : 'failed', failure } }
}

const isAsked = (step: Engine.StepState): boolean => step.approval !== null && !step.approval.given

const decisionOf = (stage: Stage, step: Engine.StepState): Command => {
  const { fate, rng } = stage.world
  const { path } = step
  const about = { ...byPerson(`op/${stage.events.length}`), path }
  if (step.phase !== 'escalated' && isAsked(step)) {
    return { ...about, type: 'approve', approved: fate ? fate.approves(path) : chance(stage, 0.8) }
  }
  if (fate) {
    const nth = stage.events.filter((event) => event.type === 'step.escalated' && event.path === path).length
    const decision = fate.decide(path, nth, step.attempts.length > 0)
    return typeof decision === 'string'
      ? { ...about, type: decision }
      : { ...about, type: 'override', output: { value: decision.override } }
  }
  const pick = rng()
  if (pick < 0.6) return { ...about, type: 'retry' }
  if (pick < 0.75) return { ...about, type: 'override', output: { value: 'overridden' } }
  return pick < 0.9 ? { ...about, type: 'skip' } : { ...about, type: 'fail' }
}

/** What a person does about something that waits for one; null: nothing does. */
export const operatorOf = (stage: Stage): Command | null => {
  const open = [...stage.state.steps.values()].filter(
    (step) => step.phase === 'escalated' || (step.phase === 'waiting' && isAsked(step)),
  )
  const step = open[Math.floor(stage.world.rng() * open.length)]
  return step ? decisionOf(stage, step) : null
}

/** A signal that something waits for; null: nothing does. */
export const signalOf = (stage: Stage): Command | null => {
  for (const step of stage.state.steps.values()) {
    if (step.phase !== 'waiting' || step.opening?.kind !== 'signal') continue
    const { name } = step.opening
    const value = stage.world.fate?.signal(name) ?? 1
    return { ...base(`signal/${stage.events.length}`), type: 'signal', name, payload: { value } }
  }
  return null
}

export const cancelOf = (stage: Stage): Command => ({
  ...byPerson(`cancel/${stage.events.length}`),
  type: 'cancel',
  ...(stage.world.fate || chance(stage, 0.7) ? {} : { compensate: false }),
})
