// world: one run driven by hand, as the driver would drive it. Every action answers with the facts it led to, in short
// words, so that a scenario reads as a story. Each fact and message is checked against the contracts on the way.
import {
  type Actor,
  type CallbackAnswer,
  type ChildResult,
  type Command,
  type CommandOf,
  type Definition,
  type EscalationNotice,
  type Event,
  escalationNoticeSchema,
  eventSchema,
  type Failure,
  type Json,
  type Observation,
  type Outcome,
  type ReleaseReason,
  type Task,
  type ToolManifest,
  taskId,
  taskSchema,
  type Usage,
  type Verdict,
} from '@stepfleet/contracts'
import { accept } from '../accept/accept.ts'
import { condemn } from '../accept/condemn.ts'
import { decide } from '../decide/decide.ts'
import { compile } from '../definition/compile.ts'
import type { Plan } from '../definition/plan.ts'
import { validate } from '../definition/validate.ts'
import { checkLaws } from '../laws.ts'
import { type Job, type Message, messagesOf } from '../messages/messages.ts'
import { fold } from '../state/fold.ts'
import { fromSnapshot, revive, toSnapshot } from '../state/snapshot.ts'
import { createState, type RunState, type StepState } from '../state/state.ts'
import { wakeAt } from '../state/timers.ts'
import { type Answer, type Ask, createTurn, type Turn } from '../turn.ts'
import { Blobs } from './blobs.fixture.ts'
import { brief } from './brief.fixture.ts'
import { TRANSIENT, USAGE } from './things.fixture.ts'

const NS = 'default'
const RUN = 'r1'
const ANN: Actor = { kind: 'operator', id: 'ann' }
const OUTSIDE: Actor = { kind: 'caller', id: 'callback' }
const WORKER: Actor = { kind: 'worker', id: 'w_1' }

export interface WorldOptions {
  tools?: readonly ToolManifest[]
  /** Values whose JSON is longer become blobs that must be loaded first. */
  inlineChars?: number
  /** False for wide runs: the journal is not checked again at each action. */
  checked?: boolean
}

/** A delivery other than the one that is out. */
export interface Delivery {
  attempt?: number
  delivery?: number
  usage?: Usage | null
}

export class World {
  readonly plan: Plan
  state: RunState
  readonly events: Event[] = []
  /** Every task that went out, in order. */
  readonly tasks: Task[] = []
  /** What the desk was told, in order. */
  readonly notices: EscalationNotice[] = []
  /** What else left: to other runs, to limits, to the cache. */
  readonly others: Exclude<Message, Job>[] = []
  readonly tools: Map<string, ToolManifest>
  /** What the world answers an ask. */
  answer: (ask: Ask) => Answer = (ask) =>
    ask.kind === 'cache' ? { kind: 'cache', found: null } : { kind: ask.kind, granted: true }
  nowMs = 1_000
  /** Of the last command. */
  verdict: Verdict = { status: 'applied', seq: 0 }
  readonly values: Blobs
  readonly #options: WorldOptions
  #commands = 0

  constructor(definition: Definition, options: WorldOptions = {}) {
    const checked = validate(definition)
    if (!checked.ok) throw new Error(JSON.stringify(checked.errors))
    this.plan = compile(checked.definition, 'hash')
    this.state = createState(NS, RUN)
    this.tools = new Map((options.tools ?? []).map((tool) => [tool.spec.name, tool]))
    this.values = new Blobs(options.inlineChars)
    this.#options = options
  }

  start(input: Json = null, more: Partial<CommandOf<'start'>> = {}): string[] {
    return this.give({
      type: 'start',
      ...this.#base({ kind: 'caller', id: 'key' }),
      workflow: { name: this.plan.name, version: 1, hash: this.plan.hash },
      input: this.values.pack(input),
      labels: {},
      priority: 3,
      env: {},
      ...more,
    })
  }

  /** The task of a step answers. */
  done(path: string, output: Json = 'ok', about: Delivery = {}): string[] {
    return this.#outcome(path, about, { status: 'done', output: this.values.pack(output) })
  }

  fails(path: string, cause: Failure = TRANSIENT, about: Delivery = {}): string[] {
    return this.#outcome(path, about, { status: 'failed', failure: cause })
  }

  /** Somebody outside answers the last attempt of a callback, or the one that is named. */
  callback(path: string, answer: CallbackAnswer, more: Partial<CommandOf<'callback'>> = {}): string[] {
    const { attempt } = this.#out(path)
    const { startedAtMs } = this.state
    return this.give({ type: 'callback', ...this.#base(OUTSIDE), path, attempt, startedAtMs, answer, ...more })
  }

  /** The child run of a step ends. */
  child(path: string, result: ChildResult): string[] {
    const { opening } = this.step(path)
    const child = opening?.kind === 'run' ? opening.run : ''
    return this.give({ type: 'child', ...this.#base(WORKER), path, child, result })
  }

  releases(path: string, retryAfterMs: number, about: Delivery & { reason?: ReleaseReason } = {}): string[] {
    const { reason } = about
    return this.#outcome(path, about, {
      status: 'released',
      why: 'circuit open',
      retryAfterMs,
      ...(reason === undefined ? {} : { reason }),
    })
  }

  /** The worker that holds the task died. */
  loses(path: string, about: Delivery & { begun?: boolean } = {}): string[] {
    const { attempt, delivery } = this.#out(path)
    return this.give({
      type: 'lost',
      ...this.#base({ kind: 'engine', id: 'e_1' }),
      path,
      attempt: about.attempt ?? attempt,
      delivery: about.delivery ?? delivery,
      worker: 'w_1',
      begun: about.begun ?? false,
    })
  }

  /** Time goes to the next wake, or to `atMs`; `seen` is what the driver saw of the tasks that are out. */
  wake(seen: Record<string, Partial<Observation>> = {}, atMs: number | null = wakeAt(this.state)): string[] {
    if (atMs === null) throw new Error('nothing wakes this run')
    this.nowMs = Math.max(this.nowMs, atMs)
    const observed = new Map(
      Object.entries(seen).map(([path, part]): [string, Observation] => {
        const { attempt, delivery } = this.#out(path)
        const task = taskId({ ns: NS, run: RUN, path, attempt, delivery })
        return [path, { task, claimedAtMs: null, begun: false, reported: false, jobMissing: false, ...part }]
      }),
    )
    return this.give({ type: 'wake', ...this.#base({ kind: 'engine', id: 'e_1' }) }, observed)
  }

  /** A place has come free for these. */
  free(...paths: string[]): string[] {
    return this.give({ type: 'wake', ...this.#base({ kind: 'engine', id: 'e_1' }), paths })
  }

  cancel(more: Partial<CommandOf<'cancel'>> = {}): string[] {
    return this.give({ type: 'cancel', ...this.#base(ANN), ...more })
  }

  /** Paths of the tasks that are out. */
  get out(): string[] {
    return [...this.state.steps.values()].filter((step) => step.phase === 'scheduled').map((step) => step.path)
  }

  raise(budget: CommandOf<'budget'>['budget'], path?: string): string[] {
    return this.give({ type: 'budget', ...this.#base(ANN), budget, path })
  }

  signal(name: string, payload: Json): string[] {
    return this.give({ type: 'signal', ...this.#base(ANN), name, payload: this.values.pack(payload) })
  }

  run(type: 'pause' | 'resume' | 'cancel', reason?: string): string[] {
    return this.give({ type, ...this.#base(ANN), ...(reason === undefined ? {} : { reason }) })
  }

  approve(path: string, more: Partial<CommandOf<'approve'>> = {}): string[] {
    return this.give({ type: 'approve', ...this.#base(ANN), path, approved: true, ...more })
  }

  retry(path: string, more: Partial<CommandOf<'retry'>> = {}): string[] {
    return this.give({ type: 'retry', ...this.#base(ANN), path, ...more })
  }

  skip(path: string, more: Partial<CommandOf<'skip'>> = {}): string[] {
    return this.give({ type: 'skip', ...this.#base(ANN), path, ...more })
  }

  override(path: string, output: Json, more: Partial<CommandOf<'override'>> = {}): string[] {
    return this.give({ type: 'override', ...this.#base(ANN), path, output: this.values.pack(output), ...more })
  }

  fail(path: string, more: Partial<CommandOf<'fail'>> = {}): string[] {
    return this.give({ type: 'fail', ...this.#base(ANN), path, ...more })
  }

  /** Judges a command, decides on it, makes its messages: what it led to, in short words. */
  give(command: Command, observed?: ReadonlyMap<string, Observation>): string[] {
    const turn = this.#turn(command)
    this.verdict = accept(turn, command, observed)
    return this.#follow(turn)
  }

  /** The command stopped its engine three times. */
  condemns(command: Command): string[] {
    const turn = this.#turn(command)
    condemn(turn, command)
    return this.#finish(turn)
  }

  /** The driver lost its cache: from the journal, or from a snapshot. */
  reload(from: 'journal' | 'snapshot' = 'journal'): void {
    const stored = from === 'snapshot' ? fromSnapshot(toSnapshot(this.state)) : null
    const state = stored ?? createState(NS, RUN)
    if (!stored) for (const event of this.events) fold(state, event)
    this.values.forget()
    this.state = revive(this.plan, state)
  }

  step(path: string): StepState {
    const step = this.state.steps.get(path)
    if (!step) throw new Error(`no step ${path}`)
    return step
  }

  /** The newest task of a step. */
  task(path: string): Task {
    const task = this.tasks.findLast((one) => one.path === path)
    if (!task) throw new Error(`no task of ${path}`)
    return task
  }

  /** What the newest task of a step was given. */
  inputOf(path: string): Json {
    return this.values.value(this.task(path).input)
  }

  /** Output of a step. */
  output(path: string): Json {
    return this.values.value(this.step(path).output)
  }

  /** Cases that the desk shows as open. */
  get openCases(): string[] {
    const open = new Map<string, string>()
    for (const notice of this.notices) {
      if (notice.type === 'opened') open.set(notice.case, notice.path)
      else open.delete(notice.case)
    }
    return [...open.values()]
  }

  #base(by: Actor) {
    this.#commands += 1
    return { id: `c${this.#commands}`, ns: NS, run: RUN, by }
  }

  #out(path: string): { attempt: number; delivery: number } {
    const last = this.state.steps.get(path)?.attempts.at(-1)
    return { attempt: last?.attempt ?? 1, delivery: last?.delivery ?? 1 }
  }

  #outcome(path: string, about: Delivery, result: Outcome['result']): string[] {
    const isModel = this.tasks.findLast((task) => task.path === path)?.kind === 'llm'
    const usage = about.usage === undefined ? (isModel ? USAGE : null) : about.usage
    const { attempt, delivery } = this.#out(path)
    const outcome: Outcome = {
      path,
      attempt: about.attempt ?? attempt,
      delivery: about.delivery ?? delivery,
      worker: 'w_1',
      claimedAtMs: this.nowMs,
      durationMs: 5,
      ...(usage ? { usage } : {}),
      result,
    }
    return this.give({ type: 'outcome', ...this.#base(WORKER), outcome })
  }

  #turn(command: Command): Turn {
    const { plan, state, nowMs, tools } = this
    return createTurn({ plan, state, nowMs, actor: command.by, command: command.id, values: this.values, tools })
  }

  #follow(turn: Turn): string[] {
    const following: Turn = { ...turn, actor: { kind: 'engine', id: 'e_1' } }
    decide(following)
    while (following.missing.size > 0 || following.asks.size > 0) {
      this.values.fetch(following.missing)
      for (const [text, ask] of following.asks) following.answers.set(text, this.answer(ask))
      following.asks.clear()
      decide(following)
    }
    return this.#finish(turn)
  }

  #finish(turn: Turn): string[] {
    this.events.push(...turn.events)
    for (const event of turn.events) this.#send(turn, event)
    this.state.outChanges.clear()
    if (this.#options.checked !== false) this.#check(turn.events)
    return turn.events.map(brief)
  }

  #send(turn: Turn, event: Event): void {
    let messages = messagesOf(turn, event)
    while (turn.missing.size > 0) {
      this.values.fetch(turn.missing)
      messages = messagesOf(turn, event)
    }
    for (const message of messages) {
      if (message.kind === 'task') this.tasks.push(taskSchema.parse(message.payload))
      else if (message.kind === 'notice') this.notices.push(escalationNoticeSchema.parse(message.payload))
      else this.others.push(message)
    }
  }

  /** What must hold after every command: the contracts, the laws, and that the journal tells the same story. */
  #check(events: readonly Event[]): void {
    for (const event of events) eventSchema.parse(event)
    const broken = checkLaws(this.events, this.plan)
    if (broken.length > 0) throw new Error(`broken laws: ${JSON.stringify(broken)}`)
    const folded = createState(NS, RUN)
    for (const event of this.events) fold(folded, event)
    if (toSnapshot(folded) !== toSnapshot(this.state)) throw new Error('the journal folds to another state')
  }
}
