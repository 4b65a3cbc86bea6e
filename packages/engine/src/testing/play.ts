// play: one run through the real engine against a seeded world of workers and people who lose, repeat, delay and
// fail things. For tests: the laws are asked of the histories it makes. It takes the engine as an argument, so that
// mutants of it can be played the same way.
import type { Command, Event, Json, Payload, Task, ToolManifest } from '@stepfleet/contracts'
import type * as Engine from '../index.ts'
import {
  awaitedOf,
  base,
  callbackOf,
  cancelOf,
  chance,
  childOf,
  isTelling,
  lossOf,
  NS,
  type Odds,
  operatorOf,
  outcomeOf,
  RUN,
  signalOf,
} from './actors.ts'
import { digest } from './digest.ts'
import type { Fate } from './fate.ts'
import { answerOf, noPlaces } from './places.ts'

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

export interface Played {
  events: Event[]
  state: Engine.RunState
  /** Snapshot of the live state at the end, and of the journal folded anew. */
  live: string
  folded: string
  /** Task ids handed to workers, in order. */
  sent: string[]
  ended: boolean
  /** Places under limits that were not given back. */
  kept: string[]
}

export interface World {
  engine: EngineModule
  plan: Engine.Plan
  rng: () => number
  odds: Odds
  answer(task: Task): Json
  /** Answers and decisions by path; absent: by chance. */
  fate?: Fate
  maxSteps: number
  /** Facts of a turn; absent: as many as the engine takes. */
  mostEvents?: number
  /** For mutants: stop at the first exception and show the history so far, instead of throwing. */
  reckless?: boolean
}

const values: Engine.Values = {
  load: (payload: Payload) => ('value' in payload ? payload.value : undefined),
  pack: (value: Json) => ({ value }),
  digest,
}

const TOOLS: ReadonlyMap<string, ToolManifest> = new Map(
  (['read', 'idempotent', 'once'] as const).map((effect) => [
    `${effect}_tool`,
    { spec: { name: `${effect}_tool`, description: 'a tool', input: { type: 'object' } }, effect, secrets: [] },
  ]),
)

/** Mutable parts of one play. */
class Play {
  readonly world: World
  state: Engine.RunState
  readonly events: Event[] = []
  readonly sent: string[] = []
  /** Tasks some worker may still answer, claimed or not. */
  readonly out: Task[] = []
  /** Children that have not ended. */
  readonly children: Engine.ChildStart[] = []
  readonly pending: Command[] = []
  readonly losses = new Map<string, number>()
  readonly places = noPlaces()
  nowMs = 1_000
  /** When it is woken: written with each append, so it outlives a reload. */
  dueMs: number | null = null

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
      ...(this.world.mostEvents === undefined ? {} : { mostEvents: this.world.mostEvents }),
    })
    try {
      engine.accept(turn, command, observed)
      for (engine.decide(turn); turn.asks.size > 0; engine.decide(turn)) {
        for (const [text, ask] of turn.asks) turn.answers.set(text, answerOf(this.places, ask, this.nowMs))
        turn.asks.clear()
      }
    } finally {
      this.events.push(...turn.events)
    }
    for (const event of turn.events) for (const message of engine.messagesOf(turn, event)) this.take(message)
    for (const message of engine.unusedAnswers(turn)) this.take(message)
    this.state.outChanges.clear()
    this.dueMs = engine.wakeAt(this.state)
  }

  /** What leaves the run reaches the world. */
  take(message: Engine.Message): void {
    switch (message.kind) {
      case 'task':
        this.sent.push(message.id)
        this.out.push(message.payload)
        return
      case 'start':
        // nobody is told of the end of a detached child, and a child starts once
        if (message.child.parent.detached || this.children.some(({ run }) => run === message.child.run)) return
        this.children.push(message.child)
        return
      case 'command':
        if (message.command.type !== 'cancel') return
        for (const [at, { run }] of this.children.entries()) {
          if (run === message.command.run) this.children.splice(at, 1)
        }
        return
      case 'release':
        this.places.held.get(message.key)?.delete(message.path)
        return
      case 'cache': {
        const value = values.load(message.output) ?? null
        this.places.cached.set(message.key, { value, untilMs: this.nowMs + message.ttlMs })
        return
      }
      case 'notice':
        return
    }
  }

  /** The driver dropped its cache: the state is folded from the journal again. */
  reload(): void {
    const { engine, plan } = this.world
    const state = engine.createState(NS, RUN)
    for (const event of this.events) engine.fold(state, event)
    this.state = engine.revive(plan, state)
  }
}

/** Takes one of a list by chance. */
const draw = <T>(play: Play, list: T[]): T | undefined => list.splice(Math.floor(play.world.rng() * list.length), 1)[0]

/** What happens next in the world; false: nothing can. */
const step = (play: Play): boolean => {
  const { odds } = play.world
  if (chance(play, odds.reload)) play.reload()
  if (play.pending.length > 0 && chance(play, 0.5)) {
    const command = draw(play, play.pending)
    if (command) play.give(command)
    return true
  }
  if (chance(play, odds.cancel)) play.give(cancelOf(play))
  if (chance(play, odds.operator)) {
    const command = operatorOf(play)
    if (command) play.give(command)
  }
  if (play.children.length > 0 && (play.out.length === 0 || chance(play, 0.3))) return raise(play)
  if (chance(play, 0.3) && callBack(play)) return true
  if (play.out.length > 0) return work(play)
  return pass(play)
}

/** Somebody outside answers a callback; false: none is open. */
const callBack = (play: Play): boolean => {
  const awaited = awaitedOf(play)
  if (awaited) deliver(play, callbackOf(play, awaited))
  return awaited !== null
}

/** Gives a command now or later, and perhaps twice. */
const deliver = (play: Play, command: Command): void => {
  const { odds } = play.world
  if (chance(play, odds.late)) play.pending.push(command)
  else play.give(command)
  if (chance(play, odds.repeat)) play.pending.push(command)
}

/** A child ends. */
const raise = (play: Play): boolean => {
  const child = draw(play, play.children)
  if (child) deliver(play, childOf(play, child))
  return true
}

/** A worker does something with one of the tasks. */
const work = (play: Play): boolean => {
  play.nowMs += Math.floor(play.world.rng() * 3)
  const task = draw(play, play.out)
  if (!task) return true
  // who was told may be faster than the worker that told
  if (isTelling(task) && chance(play, 0.2)) play.give(callbackOf(play, task))
  const loss = lossOf(play, task)
  deliver(play, loss ?? outcomeOf(play, task))
  // a worker that was taken for dead may answer all the same
  if (loss && chance(play, play.world.odds.late)) play.pending.push(outcomeOf(play, task))
  return true
}

/** Nothing is out: time passes to the next wake, or a person helps, or the world is done. */
const pass = (play: Play): boolean => {
  const wake = play.dueMs
  if (play.pending.length > 0) {
    for (const command of play.pending.splice(0)) play.give(command)
    return true
  }
  // time goes on only when nobody answers: by fate somebody always does
  if ((play.world.fate || chance(play, 0.7)) && callBack(play)) return true
  const signal = wake === null || play.world.fate || chance(play, 0.5) ? signalOf(play) : null
  const command = operatorOf(play) ?? signal
  if (command) {
    play.give(command)
    return true
  }
  if (wake === null) return false
  play.nowMs = Math.max(play.nowMs, wake)
  play.give({ ...base(`wake/${play.nowMs}`), type: 'wake' })
  return true
}

const startOf = (plan: Engine.Plan, id: string, input: Json): Command => ({
  ...base(id),
  type: 'start',
  workflow: { name: plan.name, version: 1, hash: plan.hash },
  input: { value: input },
  labels: {},
  priority: 3,
  env: {},
})

/** Plays one run to its end, or until nothing can happen any more. */
export const play = (world: World, input: Json = null): Played => {
  const one = new Play(world)
  const { engine, plan } = world
  const shown = (more: Pick<Played, 'live' | 'folded'>): Played => ({
    ...more,
    events: one.events,
    state: one.state,
    sent: one.sent,
    ended: one.state.endedAtMs !== null,
    kept: [...one.places.held].flatMap(([key, paths]) => [...paths].map((path) => `${key} ${path}`)),
  })
  try {
    one.give(startOf(plan, 'start', input))
    if (world.rng() < 0.1) one.pending.push(startOf(plan, 'start-again', input))
    for (let count = 0; count < world.maxSteps && one.state.endedAtMs === null; count += 1) if (!step(one)) break
    // what is late comes after the end, too
    for (const command of one.pending.splice(0)) one.give(command)
  } catch (error) {
    if (!world.reckless) throw error
    return { ...shown({ live: '', folded: '' }), ended: false }
  }
  const folded = engine.createState(NS, RUN)
  for (const event of one.events) engine.fold(folded, event)
  return shown({ live: engine.toSnapshot(one.state), folded: engine.toSnapshot(folded) })
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
    cancel: rng() < 0.8 ? 0 : rng() * 0.05,
  }
}
