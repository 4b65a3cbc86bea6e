// play: one run through the real engine against a seeded world of workers and people who lose, repeat, delay and
// fail things. For tests: the laws are asked of the histories it makes. It takes the engine as an argument, so that
// mutants of it can be played the same way.
import type { Command, Event, Failure, Json, Outcome, Payload, Task, ToolManifest, Usage } from '@stepfleet/contracts'
import type * as Engine from '../index.ts'
import { digest } from './digest.ts'

export type EngineModule = typeof Engine

/** Numbers in [0, 1) from a seed (mulberry32, public domain, Tommy Ettinger). */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

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
}

export interface Played {
  events: Event[]
  state: Engine.RunState
  /** Snapshot of the live state at the end, and of the journal folded anew. */
  live: string
  folded: string
  /** Task ids handed to workers, in order. */
  sent: string[]
  ended: boolean
}

interface World {
  engine: EngineModule
  plan: Engine.Plan
  rng: () => number
  odds: Odds
  answer(task: Task): Json
  maxSteps: number
  /** For mutants: stop at the first exception and show the history so far, instead of throwing. */
  reckless?: boolean
}

const USAGE: Usage = {
  model: 'anthropic/claude-haiku-5-5',
  inputTokens: 10,
  outputTokens: 5,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  microUsd: 35,
}
const NS = 'default'
const RUN = 'r1'

const values: Engine.Values = {
  load: (payload: Payload) => ('value' in payload ? payload.value : undefined),
  pack: (value: Json) => ({ value }),
  digest,
}

/** Mutable parts of one play. */
class Play {
  readonly world: World
  state: Engine.RunState
  readonly events: Event[] = []
  readonly sent: string[] = []
  /** Tasks some worker may still answer, claimed or not. */
  readonly out: Task[] = []
  readonly pending: Command[] = []
  nowMs = 1_000

  constructor(world: World) {
    this.world = world
    this.state = world.engine.createState(NS, RUN)
  }

  /** One command through the engine, as the driver would: accept, decide, messages. */
  give(command: Command, observed?: Engine.Observations): void {
    const { engine, plan } = this.world
    const turn = engine.createTurn({
      plan,
      state: this.state,
      nowMs: this.nowMs,
      actor: command.by,
      command: command.id,
      values,
      tools: TOOLS,
    })
    try {
      engine.accept(turn, command, observed)
      engine.decide(turn)
    } finally {
      this.events.push(...turn.events)
    }
    for (const event of turn.events) {
      for (const message of engine.messagesOf(turn, event)) {
        if (message.kind !== 'task') continue
        this.sent.push(message.id)
        this.out.push(message.payload)
      }
    }
    this.state.outChanges.clear()
  }

  /** The driver dropped its cache: the state is folded from the journal again. */
  reload(): void {
    const { engine, plan } = this.world
    const state = engine.createState(NS, RUN)
    for (const event of this.events) engine.fold(state, event)
    this.state = engine.revive(plan, state)
  }
}

const TOOLS: ReadonlyMap<string, ToolManifest> = new Map(
  (['read', 'idempotent', 'once'] as const).map((effect) => [
    `${effect}_tool`,
    { spec: { name: `${effect}_tool`, description: 'a tool', input: { type: 'object' } }, effect, secrets: [] },
  ]),
)

const chance = (play: Play, odds: number): boolean => play.world.rng() < odds

const base = (id: string) => ({ id, ns: NS, run: RUN, by: { kind: 'worker' as const, id: 'w_1' } })

const outcomeOf = (play: Play, task: Task): Command => {
  const { odds } = play.world
  const common = {
    path: task.path,
    attempt: task.attempt,
    delivery: task.delivery,
    worker: 'w_1',
    claimedAtMs: play.nowMs,
    durationMs: 5,
    ...(task.kind === 'llm' ? { usage: USAGE } : {}),
  }
  const id = `${task.path}.${task.attempt}.${task.delivery}/${play.events.length}`
  if (chance(play, odds.release)) {
    const outcome: Outcome = {
      ...common,
      result: { status: 'released', why: 'circuit open', retryAfterMs: Math.floor(play.world.rng() * 50) },
    }
    return { ...base(id), type: 'outcome', outcome }
  }
  if (chance(play, odds.fail)) {
    const permanent = chance(play, odds.permanent)
    const ambiguous = task.effect === 'once' && chance(play, 0.5)
    const failure: Failure = {
      code: permanent ? 'bad_request' : 'provider_error',
      class: ambiguous ? 'ambiguous' : permanent ? 'permanent' : 'transient',
      message: 'it failed',
    }
    return { ...base(id), type: 'outcome', outcome: { ...common, result: { status: 'failed', failure } } }
  }
  return {
    ...base(id),
    type: 'outcome',
    outcome: { ...common, result: { status: 'done', output: { value: play.world.answer(task) } } },
  }
}

const lostOf = (play: Play, task: Task): Command => ({
  ...base(`lost/${task.path}.${task.attempt}.${task.delivery}`),
  type: 'lost',
  path: task.path,
  attempt: task.attempt,
  delivery: task.delivery,
  worker: 'w_1',
  begun: task.effect === 'once' && chance(play, 0.5),
})

const operatorOf = (play: Play): Command | null => {
  const open = [...play.state.steps.values()].filter(
    (step) => step.phase === 'escalated' || (step.approval && !step.approval.given),
  )
  const step = open[Math.floor(play.world.rng() * open.length)]
  if (!step) return null
  const about = { ...base(`op/${play.events.length}`), by: { kind: 'operator' as const, id: 'ann' }, path: step.path }
  if (step.approval && !step.approval.given) return { ...about, type: 'approve', approved: chance(play, 0.8) }
  const pick = play.world.rng()
  if (pick < 0.6) return { ...about, type: 'retry' }
  if (pick < 0.75) return { ...about, type: 'override', output: { value: 'overridden' } }
  return pick < 0.9 ? { ...about, type: 'skip' } : { ...about, type: 'fail' }
}

/** What happens next in the world; false: nothing can. */
const step = (play: Play): boolean => {
  const { rng, odds } = play.world
  if (chance(play, odds.reload)) play.reload()
  if (play.pending.length > 0 && chance(play, 0.5)) {
    const [command] = play.pending.splice(Math.floor(rng() * play.pending.length), 1)
    if (command) play.give(command)
    return true
  }
  if (chance(play, odds.operator)) {
    const command = operatorOf(play)
    if (command) play.give(command)
  }
  if (play.out.length > 0) return work(play)
  return pass(play)
}

/** A worker does something with one of the tasks. */
const work = (play: Play): boolean => {
  const { rng, odds } = play.world
  play.nowMs += Math.floor(rng() * 3)
  const [task] = play.out.splice(Math.floor(rng() * play.out.length), 1)
  if (!task) return true
  const command = chance(play, odds.lose) ? lostOf(play, task) : outcomeOf(play, task)
  if (chance(play, odds.late)) play.pending.push(command)
  else play.give(command)
  if (chance(play, odds.repeat)) play.pending.push(command)
  // a worker that was taken for dead may answer all the same
  if (command.type === 'lost' && chance(play, odds.late)) play.pending.push(outcomeOf(play, task))
  return true
}

/** Nothing is out: time passes to the next wake, or a person helps, or the world is done. */
const pass = (play: Play): boolean => {
  const wake = play.world.engine.wakeAt(play.state)
  if (play.pending.length > 0) {
    for (const command of play.pending.splice(0)) play.give(command)
    return true
  }
  const command = operatorOf(play)
  if (command) {
    play.give(command)
    return true
  }
  const signal = [...play.state.steps.values()].find((one) => one.phase === 'waiting' && one.opening?.kind === 'signal')
  if (signal?.opening?.kind === 'signal' && (wake === null || chance(play, 0.5))) {
    play.give({
      ...base(`signal/${play.events.length}`),
      type: 'signal',
      name: signal.opening.name,
      payload: { value: 1 },
    })
    return true
  }
  if (wake === null) return false
  play.nowMs = Math.max(play.nowMs, wake)
  play.give({ ...base(`wake/${play.nowMs}`), type: 'wake' })
  return true
}

/** Plays one run to its end, or until nothing can happen any more. */
export const play = (world: World, input: Json = null): Played => {
  const one = new Play(world)
  const { engine, plan } = world
  one.give({
    ...base('start'),
    type: 'start',
    workflow: { name: plan.name, version: 1, hash: plan.hash },
    input: { value: input },
    labels: {},
    priority: 3,
    env: {},
  })
  if (world.rng() < 0.1)
    one.pending.push({
      ...base('start-again'),
      type: 'start',
      workflow: { name: plan.name, version: 1, hash: plan.hash },
      input: { value: input },
      labels: {},
      priority: 3,
      env: {},
    })
  try {
    for (let count = 0; count < world.maxSteps && one.state.endedAtMs === null; count += 1) if (!step(one)) break
    // what is late comes after the end, too
    for (const command of one.pending.splice(0)) one.give(command)
  } catch (error) {
    if (!world.reckless) throw error
    return { events: one.events, state: one.state, live: '', folded: '', sent: one.sent, ended: false }
  }
  const folded = engine.createState(NS, RUN)
  for (const event of one.events) engine.fold(folded, event)
  return {
    events: one.events,
    state: one.state,
    live: engine.toSnapshot(one.state),
    folded: engine.toSnapshot(folded),
    sent: one.sent,
    ended: one.state.endedAtMs !== null,
  }
}

/** Odds for a seed: each fault is off in some worlds. */
export const oddsOf = (rng: () => number): Odds => {
  const draw = (most: number): number => (rng() < 0.35 ? 0 : rng() * most)
  return {
    fail: draw(0.5),
    permanent: draw(0.5),
    lose: draw(0.3),
    repeat: draw(0.5),
    late: draw(0.3),
    release: draw(0.2),
    reload: draw(0.2),
    operator: draw(0.2),
  }
}
