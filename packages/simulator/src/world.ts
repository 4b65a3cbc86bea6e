// The world of a simulation: the runs, and the workers, limits and caches around them, in virtual time.
import type { Command, Event, Json, Observation, StepDefinition } from '@stepfleet/contracts'
import { type Answer, type Ask, BudgetLedger, type Message, runHasEnded, wakeAt } from '@stepfleet/engine'
import type { SchemaChecks } from '@stepfleet/schemas'
import { startChild } from './children.ts'
import { BrokenHistory, TooManyEvents } from './errors.ts'
import type { Faults } from './faults.ts'
import { Fleet } from './fleet.ts'
import { Limits } from './limits.ts'
import type { Mocks } from './mocks.ts'
import { stepNames } from './names.ts'
import { answerOpened } from './outside.ts'
import type { People } from './people.ts'
import { answerNotice } from './respond.ts'
import { ENGINE, jsonOf, type RunParts, SimulatedRun } from './simulated-run.ts'
import type { Tools } from './tools.ts'
import { VirtualTime } from './virtual-time.ts'
import type { PlannedWorkflow } from './workflows.ts'

/** Wakes in a row that lead to nothing, with nothing else to come: what a run waits for does not happen. */
const IDLE_WAKES = 1_000

export interface WorldParts {
  ns: string
  startAtMs: number
  maxEvents: number
  mocks: Mocks
  faults: Faults
  people: People
  checks: SchemaChecks
  tools: Tools
  /** Milliseconds, named as mocks are. */
  durations: ReadonlyMap<string, number>
  env: Record<string, string>
  /** Child workflows by `name` or `name@version`. */
  workflows: ReadonlyMap<string, PlannedWorkflow>
}

/** Something to be told in the timeline that no event tells. */
export interface Remark {
  atMs: number
  path: string
  what: string
  detail: string
}

export interface Logged {
  run: SimulatedRun
  event: Event
}

const DAY_MS = 86_400_000

export class World {
  readonly parts: WorldParts
  readonly time: VirtualTime
  readonly runs = new Map<string, SimulatedRun>()
  /** All events of all runs, in the order they were made. */
  readonly log: Logged[] = []
  readonly remarks: Remark[] = []
  readonly assumed = new Set<string>()
  readonly #limits = new Limits()
  readonly #ledger = new BudgetLedger()
  readonly #cache = new Map<string, { value: Json; untilMs: number }>()
  readonly #fleet: Fleet
  /** When each run is woken next. */
  readonly #wakes = new Map<string, number>()
  /** Things to come that are no wakes. */
  #coming = 0
  #idle = 0

  constructor(parts: WorldParts) {
    this.parts = parts
    this.time = new VirtualTime(parts.startAtMs)
    this.#fleet = new Fleet(this)
  }

  /** A run begins. */
  async start(parts: Omit<RunParts, 'answer' | 'asked'>, command: Command): Promise<SimulatedRun> {
    const run: SimulatedRun = new SimulatedRun({
      ...parts,
      answer: (question) => this.#answer(run, question),
      asked: (steps) => this.#learn(parts.workflow, steps),
    })
    this.runs.set(parts.run, run)
    await this.give(run, command)
    return run
  }

  /** Something happens after a while. */
  later(afterMs: number, act: () => unknown): void {
    this.#coming += 1
    this.time.at(this.time.nowMs + afterMs, () => {
      this.#coming -= 1
      return act()
    })
  }

  /** Until nothing is left to happen. */
  async play(): Promise<void> {
    while (this.#coming > 0 || this.#idle < IDLE_WAKES) if (!(await this.time.next())) return
  }

  /** A command to a run, and all that comes of it; true when it was applied. */
  async give(run: SimulatedRun, command: Command, observed?: ReadonlyMap<string, Observation>): Promise<boolean> {
    const { verdict, events, messages } = await run.give(command, this.time.nowMs, observed)
    this.#idle = events.length > 0 ? 0 : this.#idle + 1
    for (const event of events) {
      this.log.push({ run, event })
      if (event.type === 'callback.opened') answerOpened(this, run, event)
    }
    if (this.log.length > this.parts.maxEvents) throw new TooManyEvents(this.parts.maxEvents, this.#busiest())
    const crashes = events.some((event) => this.#crashes(run, event))
    const leaving = crashes ? await this.#crash(run, events, messages) : messages
    for (const message of leaving) this.#send(run, message)
    this.#armWake(run)
    if (verdict.status === 'refused' && command.by.kind === 'operator') {
      const path = 'path' in command ? (command.path ?? '') : ''
      this.remark(run, path, 'refused', `${command.type}: ${verdict.message}`)
    }
    return verdict.status === 'applied'
  }

  remark(run: SimulatedRun, path: string, what: string, detail: string): void {
    this.remarks.push({ atMs: this.time.nowMs, path: run.fullPath(path), what, detail })
  }

  durationMs(names: readonly string[], defaultMs: number): number {
    const name = names.find((one) => this.parts.durations.has(one))
    return (name === undefined ? undefined : this.parts.durations.get(name)) ?? defaultMs
  }

  /** What code asks for becomes known, to all that look at workflows, before it is decided on. */
  #learn({ plan, planOfRun }: PlannedWorkflow, steps: readonly { name: string; step: StepDefinition }[]): void {
    if (steps.length === 0) return
    const fresh = planOfRun()
    for (const { name, step } of steps) for (const one of [plan, fresh]) one.code?.learn(name, step)
    this.parts.tools.learn([fresh])
  }

  #busiest(): string {
    const counts = new Map<string, number>()
    for (const { run, event } of this.log) {
      const id = 'path' in event && event.path !== undefined ? run.fullId(event.path) : 'the run itself'
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? ''
  }

  #crashes(run: SimulatedRun, event: Event): boolean {
    if (!('path' in event) || event.path === undefined || event.type.startsWith('run.')) return false
    const step = run.state.steps.get(event.path)
    if (step?.endSeq !== event.seq) return false
    return this.parts.faults.crashesAfter(stepNames(run.prefix, event.path), run.fullPath(event.path))
  }

  /** What was about to leave is lost with the engine, and made again from the journal. */
  async #crash(run: SimulatedRun, events: readonly Event[], lost: readonly Message[]): Promise<readonly Message[]> {
    const again = await run.crash(events)
    if (JSON.stringify(again) !== JSON.stringify(lost)) {
      throw new BrokenHistory(`after a crash other messages leave ${run.run} than before`)
    }
    this.remark(run, '', 'crashed', 'the engine lost its state and made it again from the journal')
    return again
  }

  #send(run: SimulatedRun, message: Message): void {
    switch (message.kind) {
      case 'task':
        this.#fleet.take(run, message)
        return
      case 'notice':
        answerNotice(this, run, message.payload)
        return
      case 'start':
        this.later(0, () => startChild(this, run, message.child))
        return
      case 'command': {
        const { command } = message
        this.later(0, async () => {
          const other = this.runs.get(command.run)
          if (other) await this.give(other, command)
        })
        return
      }
      case 'release':
        for (const place of this.#limits.release(message.key, { run: run.run, path: message.path })) this.#nudge(place)
        return
      case 'settle':
        this.#ledger.settle(`${run.run}/${message.holder}`, message.used)
        if (message.next !== undefined) this.#nudge({ run: run.run, path: message.next })
        return
      case 'cache':
        this.#cache.set(message.key, { value: jsonOf(message.output), untilMs: this.time.nowMs + message.ttlMs })
        return
    }
  }

  /** A place has come free: who waits for it asks again. */
  #nudge({ run: id, path }: { run: string; path: string }): void {
    this.later(0, async () => {
      const run = this.runs.get(id)
      if (run && !runHasEnded(run.state))
        await this.give(run, { ...this.base(run, `wake/${path}`), type: 'wake', paths: [path] })
    })
  }

  #answer(run: SimulatedRun, question: Ask): Answer {
    const { nowMs } = this.time
    if (question.kind === 'limit') return this.#limits.ask(question, { run: run.run, path: question.path }, nowMs)
    if (question.kind === 'budget') return this.#reserve(run, question)
    const found = this.#cache.get(question.key)
    return { kind: 'cache', found: found && found.untilMs > nowMs ? { value: found.value } : null }
  }

  #reserve({ run }: SimulatedRun, question: Extract<Ask, { kind: 'budget' }>): Answer {
    const { workflow, agent, holder, tokens, microUsd, caps } = question
    const day = Math.floor(this.time.nowMs / DAY_MS)
    const names = { run, agent: `${run}/${agent}`, workflow: `${workflow}:${day}`, namespace: `${day}` }
    const counted = caps.map(({ scope, ...cap }) => ({ name: `${scope}:${names[scope]}`, scope, cap }))
    return this.#ledger.reserve(`${run}/${holder}`, { tokens, microUsd }, counted)
  }

  /** The head of a command of the orchestrator. */
  base(run: SimulatedRun, id: string) {
    return { id: `${id}/${this.log.length}`, ns: run.ns, run: run.run, by: ENGINE }
  }

  #armWake(run: SimulatedRun): void {
    const atMs = wakeAt(run.state)
    const known = this.#wakes.get(run.run)
    if (atMs === null || (known !== undefined && known <= atMs)) return
    this.#wakes.set(run.run, atMs)
    this.time.at(atMs, () => {
      // an earlier one has been asked for since, and has taken its place
      if (this.#wakes.get(run.run) !== atMs) return
      this.#wakes.delete(run.run)
      return this.#wake(run)
    })
  }

  async #wake(run: SimulatedRun): Promise<void> {
    const dueMs = wakeAt(run.state)
    if (dueMs === null || dueMs > this.time.nowMs) this.#armWake(run)
    else await this.give(run, { ...this.base(run, 'wake'), type: 'wake' }, this.#fleet.observe(run))
  }
}
