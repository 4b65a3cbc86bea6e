// One attempt of a task, from the claim to the report.
//
// claim    Refused: a no-op. Tried until Redis answers or the worker is drained. The time-out counts from here.
// prepare  The input is resolved. Through the circuit of the dependency, then its limits: one that refuses hands the
//          task back, unspent.
// begin    Only effect `once`: durable before anything is sent. Refused: somebody else has it, a no-op.
// run      The handler, under this attempt's own signal.
// conclude and report: the rules are in task-worker-conclude.ts.
//
// An abort is final for the attempt, but a handler that still answers within the grace time is heard. One that does
// not is left behind, so that it never blocks its slot; its late answer is sent as an outcome of its own, since it
// was paid for.
import { randomUUID } from 'node:crypto'
import { type Failure, failure, isBlob, type Json, type Task, type Usage } from '@stepfleet/contracts'
import { attributes } from './attributes.ts'
import { CircuitOpen } from './circuits/circuit-open.ts'
import type { FleetBreakers } from './circuits/fleet-breakers.ts'
import type { Claims, RunRecord } from './claims-port.ts'
import { boundLogger, type Logger } from './logger.ts'
import { LimitReached } from './provider-limits/settlement.ts'
import type { Sent, Spooled } from './spool.ts'
import { EndedBadly, type Release, refusedBy, type Settled } from './task-attempt-circuit.ts'
import { type LimitPorts, outwaited, refusedByLimit, underLimit } from './task-attempt-limit.ts'
import { conclude, type Result } from './task-worker-conclude.ts'
import { type TaskContext, TaskFailure, type TaskHandler } from './task-worker-handler.ts'
import { outcomeCommand, reportable } from './task-worker-outcome.ts'
import type { RunningTask, RunningTasks } from './task-worker-running.ts'
import { afterAbort, insist } from './task-worker-waiting.ts'
import { carrierOf, failSpan, type Span, SpanKind, withOwnSpan } from './telemetry.ts'

export interface AttemptPorts {
  worker: string
  claims: Claims
  record: RunRecord
  breakers: Pick<FleetBreakers, 'run' | 'isClosed'>
  /** null: what this worker calls has no limits of the fleet. */
  limits: Omit<LimitPorts, 'logger'> | null
  handler: TaskHandler
  running: RunningTasks
  /** Takes the outcome to Redis, or to disk: never loses it. */
  deliver: (item: Spooled) => Promise<Sent | 'spooled'>
  /** True once the worker takes no more: what is claimed after that is handed back. */
  draining: () => boolean
  logger: Logger
  /** How long an aborted handler is waited for. */
  graceMs: number
}

/** What an attempt brought. `no-op`: nothing was reported. */
export type AttemptEnd = Result | { status: 'no-op'; why: string }

/** The claim went to somebody else before a `once` task began. */
class NotOurs extends Error {}

/** An input is read this often before the attempt fails for it: about 3 s. */
const INPUT_TRIES = 5

const newToken = (): string => randomUUID()

class Attempt {
  readonly #ports: AttemptPorts
  readonly #life: RunningTask
  readonly #span: Span
  readonly #token = newToken()
  #claimedAtMs = 0
  /** The handler of a `once` task was called. */
  #begun = false
  /** The handler was called. */
  #called = false

  constructor(ports: AttemptPorts, life: RunningTask, span: Span) {
    this.#ports = ports
    this.#life = life
    this.#span = span
  }

  get #task(): Task {
    return this.#life.task
  }

  async run(): Promise<AttemptEnd> {
    const { claims, worker } = this.#ports
    const claim = await this.#insist('claim', () => claims.claim(this.#task, worker, this.#token))
    if (claim === null) return { status: 'no-op', why: 'drained before its claim was answered' }
    if (claim.value.status === 'refused') return { status: 'no-op', why: claim.value.why }
    this.#claimedAtMs = claim.value.atMs
    this.#life.claimed()
    if (this.#ports.draining()) return this.#release({ reason: 'draining', why: 'worker draining', retryAfterMs: 0 })
    try {
      return await this.#conclude(await this.#attempt())
    } catch (error) {
      if (error instanceof NotOurs) return { status: 'no-op', why: 'the claim is no longer ours' }
      if (error instanceof CircuitOpen) return this.#release(refusedBy(error))
      if (error instanceof LimitReached) return this.#release(refusedByLimit(error))
      throw error
    }
  }

  async #attempt(): Promise<Settled> {
    const { handler } = this.#ports
    const input = await this.#input()
    if ('ending' in input) return input
    const context = this.#context(input.value)
    let dependency: string | null
    try {
      dependency = handler.dependency(this.#task, input.value)
    } catch (error) {
      return this.#failed(error, context)
    }
    if (dependency === null) return this.#execute(context)
    this.#span.setAttributes(attributes.dependency(dependency))
    const { limits, breakers } = this.#ports
    if (limits === null) return this.#through(dependency, () => this.#execute(context))
    const limited = (call: () => Promise<Settled>) => this.#limited({ ...limits, dependency, context }, call)
    // who meets an open circuit does not stand in line; else only calls that are made count for it
    if (!breakers.isClosed(dependency)) return this.#through(dependency, () => limited(() => this.#execute(context)))
    return limited(() => this.#through(dependency, () => this.#execute(context)))
  }

  async #through(dependency: string, call: () => Promise<Settled>): Promise<Settled> {
    try {
      return await this.#ports.breakers.run(dependency, async () => {
        const settled = await call()
        if (settled.ending.status !== 'done') throw new EndedBadly(settled)
        return settled
      })
    } catch (error) {
      if (error instanceof EndedBadly) return error.settled
      throw error
    }
  }

  /** A turn that is near is waited for, 1 s at most. */
  async #limited(
    { context, dependency, ...ports }: Omit<LimitPorts, 'logger'> & { dependency: string; context: TaskContext },
    call: () => Promise<Settled>,
  ): Promise<Settled> {
    const { logger } = this.#ports
    const about = { dependency, task: this.#task, token: this.#token, input: context.input, signal: this.#life.signal }
    const made = async () => ({ settled: await call(), made: this.#called })
    const settled = await underLimit({ ...ports, logger }, about, made)
    if (settled === null && this.#life.cause === 'timeout') throw outwaited(dependency)
    return settled ?? this.#none()
  }

  async #input(): Promise<{ value: Json } | Settled> {
    const { input, ns, run } = this.#task
    if (!isBlob(input)) return { value: input.value }
    try {
      const read = () => this.#ports.record.blob(ns, run, input.blob)
      return (await this.#insist('read the input', read, INPUT_TRIES)) ?? this.#none()
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const given = failure('connection_failed', `the task's input could not be read: ${why}`, {
        details: { notSent: true },
      })
      return { ending: { status: 'failed', failure: given, usage: undefined }, cause: this.#life.cause }
    }
  }

  async #execute(context: TaskContext): Promise<Settled> {
    if (this.#task.effect === 'once') {
      // through the circuit first: a task that it refuses must not look begun
      const begun = await this.#insist('begin', () => this.#ports.claims.begin(this.#task, this.#token))
      if (begun?.value === false) throw new NotOurs()
    }
    // whatever `begin` wrote, nothing was sent: not begun
    if (this.#life.signal.aborted) return this.#none()
    this.#begun = this.#task.effect === 'once'
    this.#called = true
    return this.#settle(context)
  }

  /** Never rejects. */
  async #settle(context: TaskContext): Promise<Settled> {
    const { handler, graceMs, logger } = this.#ports
    const ended: Promise<Settled> = Promise.resolve()
      .then(() => handler.run(context))
      .then(
        ({ output, usage }) => ({ ending: { status: 'done', output, usage }, cause: this.#life.cause }),
        (error: unknown) => this.#failed(error, context),
      )
    const grace = afterAbort(this.#life.signal, graceMs)
    const settled = await Promise.race([ended, grace.over])
    grace.cancel()
    if (settled) return settled
    logger.warn({ cause: this.#life.cause, graceMs }, 'handler does not heed its abort: left behind')
    void ended.then((late) => this.#late(late))
    return this.#none()
  }

  #failed(error: unknown, context: TaskContext): Settled {
    const cause = this.#life.cause
    if (error instanceof TaskFailure) {
      return { ending: { status: 'failed', failure: error.failure, usage: error.usage }, cause }
    }
    let given: Failure
    try {
      given = this.#ports.handler.classify(error, context)
    } catch (bug) {
      this.#ports.logger.error({ err: bug, thrown: error }, 'handler could not classify an error')
      const code = this.#task.kind === 'llm' ? 'provider_error' : 'tool_failed'
      given = failure(code, error instanceof Error ? error.message : String(error))
    }
    return { ending: { status: 'failed', failure: given, usage: undefined }, cause }
  }

  async #conclude({ ending, cause }: Settled): Promise<AttemptEnd> {
    const { effect, timeoutMs } = this.#task
    const result = conclude({ ending, cause, effect, begun: this.#begun, timeoutMs })
    if (result === null) return { status: 'no-op', why: `ended ${cause ?? 'without a result'}` }
    return this.#report(result, ending.status === 'none' ? undefined : ending.usage)
  }

  /** A handler that was left behind has ended. A token of its own: under the old one it would be a repeat. */
  async #late({ ending }: Settled): Promise<void> {
    const { logger } = this.#ports
    logger.warn({ ending: ending.status }, 'a handler that was left behind has ended')
    if (ending.status !== 'done') return
    try {
      await this.#send({ status: 'done', output: { value: ending.output } }, ending.usage, newToken())
    } catch (error) {
      logger.error({ err: error }, 'a late result is lost')
    }
  }

  #release(release: Omit<Release, 'status'>): Promise<AttemptEnd> {
    return this.#report({ status: 'released', ...release, why: release.why.slice(0, 500) }, undefined)
  }

  async #report(result: Result, usage: Usage | undefined): Promise<AttemptEnd> {
    const { logger } = this.#ports
    const reported = await this.#send(result, usage, this.#token)
    if (usage) this.#span.setAttributes(attributes.usage(usage))
    if (reported.status === 'failed') {
      this.#span.setAttributes(attributes.failure(reported.failure))
      failSpan(this.#span, reported.failure.code)
      logger.info({ failure: reported.failure }, 'attempt failed')
    } else if (reported.status === 'released') logger.info({ why: reported.why }, 'task handed back')
    else logger.debug('attempt done')
    return reported
  }

  /** Answers what was sent: a result that cannot be sent becomes a failure that says so. */
  async #send(given: Result, usage: Usage | undefined, token: string): Promise<Result> {
    const { worker, deliver, logger } = this.#ports
    const result = reportable(given)
    const durationMs = Math.round(this.#life.ageMs)
    const claim = { worker, token, claimedAtMs: this.#claimedAtMs, durationMs, trace: carrierOf(this.#span) }
    const { command, problem } = outcomeCommand(this.#task, claim, result, usage)
    if (problem !== null) logger.error({ problem }, 'outcome does not fit its schema')
    const sent = await deliver({ token, command })
    if (sent !== 'reported') logger.info({ sent }, 'outcome sent')
    return command.outcome.result
  }

  #none(): Settled {
    return { ending: { status: 'none' }, cause: this.#life.cause }
  }

  #context(input: Json): TaskContext {
    const task = this.#task
    const { record, logger } = this.#ports
    const { attempt, effectKey } = task
    return { task, input, signal: this.#life.signal, attempt, effectKey, log: logger, record }
  }

  #insist<T>(what: string, call: () => Promise<T>, tries?: number): Promise<{ value: T } | null> {
    const { logger } = this.#ports
    return insist({ what, signal: this.#life.signal, logger, ...(tries === undefined ? {} : { tries }) }, call)
  }
}

const spanAttributes = ({ worker }: AttemptPorts, { id, task }: RunningTask, queue: string) => ({
  ...attributes.run(task.ns, task.run),
  ...attributes.workflow(task.workflow),
  ...attributes.step(task.path),
  ...attributes.attempt(task.attempt),
  ...attributes.delivery(task.delivery),
  ...attributes.task(id),
  ...attributes.worker(worker),
  ...attributes.queue(queue),
})

/** Makes one attempt of a task that was taken from `queue`. Rejects only for bugs; then nothing was reported. */
export const runAttempt = (ports: AttemptPorts, task: Task, queue: string): Promise<AttemptEnd> => {
  const { ns, run, path, attempt, delivery } = task
  const life = ports.running.add(task)
  return withOwnSpan(`attempt ${task.kind}`, { carrier: task.trace, kind: SpanKind.CONSUMER }, async (span) => {
    if (span.isRecording()) span.setAttributes(spanAttributes(ports, life, queue))
    const logger = boundLogger(ports.logger, { ns, run, step: path, attempt, delivery }, span)
    try {
      const end = await new Attempt({ ...ports, logger }, life, span).run()
      if (end.status === 'no-op') logger.debug({ why: end.why }, 'task not run to an outcome')
      return end
    } finally {
      ports.running.remove(life)
    }
  })
}
