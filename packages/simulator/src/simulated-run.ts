// One run of a simulation, driven as an orchestrator drives it: a command is judged and decided on, what must leave is
// made from the state. The journal is all that counts: the state can be thrown away at any time.
import { createHash } from 'node:crypto'
import { answerCode, type CodeOf, learnAsked } from '@stepfleet/code-workflows'
import {
  type Actor,
  type Command,
  type Event,
  type Json,
  type Payload,
  type StepDefinition,
  type Task,
  type ToolManifest,
  turnOutputSchema,
  type Verdict,
} from '@stepfleet/contracts'
import {
  type Answer,
  type Ask,
  accept,
  checkLaws,
  createState,
  createTurn,
  decide,
  fold,
  fromSnapshot,
  lastAttempt,
  type Message,
  messagesOf,
  type Observations,
  type Plan,
  parsePath,
  type RunState,
  revive,
  runHasEnded,
  type Turn,
  toSnapshot,
  turnPath,
  unusedAnswers,
  type Values,
} from '@stepfleet/engine'
import { BrokenHistory } from './errors.ts'
import { below, type Prefix } from './names.ts'
import type { PlannedWorkflow } from './workflows.ts'

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Payloads of any size stay inline: nothing leaves this process. */
const VALUES: Values = {
  load: (payload: Payload) => ('value' in payload ? payload.value : undefined),
  pack: (value: Json) => ({ value }),
  digest: sha256,
}

export const ENGINE: Actor = { kind: 'engine', id: 'simulation' }

export const jsonOf = (payload: Payload | null): Json => (payload && 'value' in payload ? payload.value : null)

/** The name that the model called the tool at `<agent>/turn-N/tool-I` by. */
export const calledName = (run: SimulatedRun, path: string): string => {
  const { parent, turn, index } = parsePath(path)
  const output = run.state.steps.get(turnPath(parent ?? '', turn ?? 0))?.output ?? null
  const parsed = turnOutputSchema.safeParse(jsonOf(output))
  return parsed.success ? (parsed.data.toolUses[index ?? 0]?.name ?? '') : ''
}

export interface RunParts {
  ns: string
  run: string
  workflow: PlannedWorkflow
  prefix: Prefix
  tools: ReadonlyMap<string, ToolManifest>
  /** What the world says to what the engine asks. */
  answer(question: Ask): Answer
  /** The code has asked for these; the plan of the run does not know them yet. */
  asked(steps: readonly { name: string; step: StepDefinition }[]): void
}

export interface Given {
  verdict: Verdict
  events: readonly Event[]
  messages: readonly Message[]
}

export class SimulatedRun {
  readonly ns: string
  readonly run: string
  plan: Plan
  readonly prefix: Prefix
  state: RunState
  readonly events: Event[] = []
  readonly #parts: RunParts

  constructor(parts: RunParts) {
    this.ns = parts.ns
    this.run = parts.run
    this.plan = parts.workflow.planOfRun()
    this.prefix = parts.prefix
    this.state = createState(parts.ns, parts.run)
    this.#parts = parts
  }

  /** A path of this run as the simulation names it. */
  fullPath(path: string): string {
    return path === '' ? this.prefix.path : below(this.prefix.path, path)
  }

  /** The id of a step of this run as the simulation names it. */
  fullId(path: string): string {
    return path === '' ? this.prefix.id : below(this.prefix.id, parsePath(path).node)
  }

  /** True while this very delivery is wanted. */
  isOut({ path, attempt, delivery }: Pick<Task, 'path' | 'attempt' | 'delivery'>): boolean {
    const step = this.state.steps.get(path)
    const last = step && lastAttempt(step)
    return step?.phase === 'scheduled' && last?.attempt === attempt && last.delivery === delivery
  }

  /** One command through the engine. */
  async give(command: Command, nowMs: number, observed?: Observations): Promise<Given> {
    const turn = this.#turn(command.id, nowMs, command.by)
    const verdict = accept(turn, command, observed)
    const following: Turn = { ...turn, actor: ENGINE }
    await this.#decide(following)
    this.events.push(...turn.events)
    const messages = this.#messages(following, turn.events)
    this.state.outChanges.clear()
    return { verdict, events: turn.events, messages }
  }

  /**
   * The engine dies behind the append: the state is made again, from the journal and from a snapshot, and what had to
   * leave because of `events` is made once more.
   * @throws BrokenHistory when journal and snapshot tell two stories
   */
  async crash(events: readonly Event[]): Promise<Message[]> {
    const snapshot = toSnapshot(this.state)
    const folded = this.#folded()
    if (toSnapshot(folded) !== snapshot) throw new BrokenHistory(`the journal of ${this.run} folds to another state`)
    const stored = fromSnapshot(snapshot)
    if (!stored || toSnapshot(stored) !== snapshot)
      throw new BrokenHistory(`the snapshot of ${this.run} is not its state`)
    this.state = stored
    await this.#forgetPlan()
    this.state = revive(this.plan, stored)
    this.state.outChanges.clear()
    const last = events.at(-1)
    if (!last) return []
    const turn = this.#turn(last.command, last.atMs, ENGINE)
    turn.events.push(...events)
    return this.#messages(turn, events)
  }

  /** @throws BrokenHistory for a history that breaks a law, or that is not what the state says */
  check(): void {
    const broken = checkLaws(this.events, this.plan)
    if (broken.length > 0) throw new BrokenHistory(`laws of ${this.run}: ${JSON.stringify(broken.slice(0, 5))}`)
    if (toSnapshot(this.#folded()) !== toSnapshot(this.state)) {
      throw new BrokenHistory(`the journal of ${this.run} folds to another state`)
    }
  }

  /** What was compiled and what the code remembers is gone with the engine too: the code is replayed. */
  async #forgetPlan(): Promise<void> {
    const { host, planOfRun } = this.#parts.workflow
    this.plan = planOfRun()
    if (!host || !this.plan.code) return
    host.drop({ ns: this.ns, run: this.run, hash: this.plan.code.hash })
    const code = this.#code()
    if (code) await learnAsked(code)
  }

  #code(): CodeOf | null {
    const { ns, run, state, plan } = this
    return plan.code && { ns, run, state, plan: plan.code, fetch: async () => undefined, load: jsonOf }
  }

  /** Decides until nothing follows, with what the code of the run says in between. */
  async #decide(turn: Turn): Promise<void> {
    const { host } = this.#parts.workflow
    for (;;) {
      this.#untilAnswered(turn, () => decide(turn))
      const code = this.#code()
      if (!turn.code.question || !host || !code) break
      await answerCode(host, code, turn)
      this.#parts.asked(turn.code.answer?.asked ?? [])
    }
    if (host && this.plan.code && runHasEnded(this.state)) {
      host.drop({ ns: this.ns, run: this.run, hash: this.plan.code.hash })
    }
  }

  #folded(): RunState {
    const state = createState(this.ns, this.run)
    for (const event of this.events) fold(state, event)
    return state
  }

  #turn(command: string, nowMs: number, actor: Actor): Turn {
    const { plan, state } = this
    const atMs = Math.max(nowMs, state.lastAtMs)
    return createTurn({ plan, state, nowMs: atMs, actor, command, values: VALUES, tools: this.#parts.tools })
  }

  #messages(turn: Turn, events: readonly Event[]): Message[] {
    const messages = events.flatMap((event) => this.#untilAnswered(turn, () => messagesOf(turn, event)))
    return [...messages, ...unusedAnswers(turn)]
  }

  /** Again, until nothing is asked that has not been answered. */
  #untilAnswered<T>(turn: Turn, act: () => T): T {
    for (;;) {
      const result = act()
      if (turn.missing.size > 0) throw new BrokenHistory(`${this.run} lacks payloads, but all are inline`)
      if (turn.asks.size === 0) return result
      for (const [text, question] of [...turn.asks]) turn.answers.set(text, this.#parts.answer(question))
      turn.asks.clear()
    }
  }
}
