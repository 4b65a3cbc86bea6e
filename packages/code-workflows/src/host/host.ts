// The host of code workflows: a thread per bundle, resident, with the code of many runs in each. It knows nothing of
// journals: it is told how steps ended and says what the code asks for next.
import { type Failure, failure, type Json } from '@stepfleet/contracts'
import { ownFrames } from '../bundle/stack.ts'
import { CodeThread, type Gone, type ThreadLimits } from './code-thread.ts'
import type { AdvanceReply, AskedStep, Described, EndedStep, Threw } from './protocol.ts'
import { threadSource } from './thread-source.ts'

export interface AdvanceCall {
  ns: string
  run: string
  /** Of the bundle. */
  hash: string
  bundle: string
  input: Json
  startedAtMs: number
  /** What the code was told so far, as `Advanced.seq` said; 0: it begins anew. */
  fromSeq: number
  /** All that ended since, in the order of `seq`. */
  ended: readonly EndedStep[]
}

export interface Advanced {
  /** What the code was told so far. */
  seq: number
  /** New since the last time, in the order of the calls; not checked yet. */
  asked: readonly AskedStep[]
  state:
    | { status: 'waiting' }
    | { status: 'returned'; output: Json }
    /** `step`: it failed and was not caught. */
    | { status: 'threw'; failure: Failure; step: string | null }
}

export interface CodeHost {
  /** Name and input schema of a bundle's workflow. */
  describe(bundle: { hash: string; text: string }): Promise<Described>
  /**
   * Continues the code of a run with the steps that ended since `fromSeq`. `lost`: there is no instance at that point;
   * call again with `fromSeq` 0 and everything. With `fromSeq` 0 it is never lost.
   */
  advance(call: AdvanceCall): Promise<Advanced | 'lost'>
  /** The run has ended: its code is forgotten. */
  drop(run: { ns: string; run: string; hash: string }): void
  close(): Promise<void>
}

export interface CodeHostOptions {
  logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
  /** Processor time of the code between two steps, milliseconds. Default 2,000. */
  cpuMs?: number
  /** Heap of a thread. Default 256. */
  memoryMb?: number
  /** Runs whose code a thread keeps; others are replayed when they move. Default 2,000. */
  maxRuns?: number
  /** Threads at a time; the one that was asked longest ago ends first. Default 16. */
  maxThreads?: number
}

/** Ends that a thread is told at once: each such piece of a replay may take the processor time of one advance. */
const PIECE = 200
/** A thread may die of what others left in it; what dies with a run alone in a new one is that run's own. */
const TRIES = 2

const stalled = (why: string): Advanced['state'] => ({
  status: 'threw',
  step: null,
  failure: failure('code_workflow_stalled', `the code of the workflow does not come to its next step: ${why}`),
})

/** What the code threw, with the lines of the user's files that it came from. */
export const threwAs = (
  { kind, message, step, failure: cause }: Threw,
  frames: readonly string[],
): Advanced['state'] => {
  if (kind === 'step' && cause) return { status: 'threw', failure: cause, step }
  const at = frames[0] === undefined ? '' : ` (${frames[0]})`
  const code = kind === 'changed' ? 'code_changed' : 'code_failed'
  const details = frames.length > 0 ? { details: { stack: [...frames] } } : {}
  return { status: 'threw', step: null, failure: failure(code, `${message}${at}`, details) }
}

export class ThreadedCodeHost implements CodeHost {
  readonly #limits: ThreadLimits
  readonly #maxThreads: number
  readonly #logger: CodeHostOptions['logger']
  /** By hash of the bundle, the one that was asked last at the end. */
  readonly #threads = new Map<string, CodeThread>()
  #closed = false

  constructor({ logger, cpuMs = 2_000, memoryMb = 256, maxRuns = 2_000, maxThreads = 16 }: CodeHostOptions) {
    this.#logger = logger
    this.#limits = { cpuMs, memoryMb, maxRuns }
    this.#maxThreads = maxThreads
  }

  async describe({ hash, text }: { hash: string; text: string }): Promise<Described> {
    const reply = await (await this.#thread(hash, text)).request({ type: 'describe' })
    if (reply.type === 'described') {
      if (reply.workflow.ok) return reply.workflow
      const [at] = ownFrames(text, reply.workflow.stack)
      return { ...reply.workflow, why: at === undefined ? reply.workflow.why : `${reply.workflow.why} (${at})` }
    }
    return { ok: false, why: reply.type === 'gone' ? reply.why : 'its thread did not answer', stack: '' }
  }

  async advance(call: AdvanceCall): Promise<Advanced | 'lost'> {
    if (call.fromSeq !== 0) {
      const advanced = await this.#pieces(call)
      return 'type' in advanced ? this.#lostOr(call, advanced) : advanced
    }
    for (let tries = 1; ; ) {
      const advanced = await this.#pieces(call)
      if (!('type' in advanced)) return advanced
      if (advanced.type === 'gone' && advanced.how === 'stalled') return this.#ended(call, stalled(advanced.why))
      if (this.#closed) throw new Error('the host of code workflows is closed')
      if (advanced.type === 'gone' && advanced.how === 'died' && tries >= TRIES) {
        const cause = failure('code_failed', `the code of the workflow ended its thread: ${advanced.why}`)
        return this.#ended(call, { status: 'threw', failure: cause, step: null })
      }
      if (advanced.type === 'gone' && advanced.how === 'died') tries += 1
    }
  }

  drop({ ns, run, hash }: { ns: string; run: string; hash: string }): void {
    this.#threads.get(hash)?.drop(`${ns}~${run}`)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#threads.values()].map((thread) => thread.close()))
    this.#threads.clear()
  }

  #ended({ fromSeq }: AdvanceCall, state: Advanced['state']): Advanced {
    return { seq: fromSeq, asked: [], state }
  }

  #lostOr(call: AdvanceCall, reply: { type: 'lost' } | Gone): Advanced | 'lost' {
    return reply.type === 'gone' && reply.how === 'stalled' ? this.#ended(call, stalled(reply.why)) : 'lost'
  }

  /** One advance, told to the thread piece by piece. */
  async #pieces(call: AdvanceCall): Promise<Advanced | { type: 'lost' } | Gone> {
    const { ns, run, hash, bundle, input, startedAtMs, ended } = call
    const thread = await this.#thread(hash, bundle)
    const asked: AskedStep[] = []
    let { fromSeq } = call
    for (let at = 0; ; at += PIECE) {
      const reply = await thread.request({
        type: 'advance',
        key: `${ns}~${run}`,
        start: fromSeq === 0 ? { ns, run, startedAtMs, input } : null,
        fromSeq,
        ended: ended.slice(at, at + PIECE),
      })
      if (reply.type === 'gone' || reply.type === 'lost') return reply
      const { state, seq } = this.#read(bundle, reply, asked)
      fromSeq = seq
      if (state.status !== 'waiting' || at + PIECE >= ended.length) return { seq, asked, state }
    }
  }

  #read(
    bundle: string,
    reply: Exclude<AdvanceReply, { type: 'lost' }> | { type: 'described' },
    asked: AskedStep[],
  ): { state: Advanced['state']; seq: number } {
    if (reply.type === 'described') throw new Error('a thread answered what it was not asked')
    if (reply.type === 'unloaded') {
      const { why: message, stack } = reply
      const threw: Threw = { status: 'threw', kind: 'error', message, stack, step: null, failure: null }
      return { state: threwAs(threw, ownFrames(bundle, stack)), seq: 0 }
    }
    for (const one of reply.asked) asked.push(one)
    const { state, seq } = reply
    return { state: state.status === 'threw' ? threwAs(state, ownFrames(bundle, state.stack)) : state, seq }
  }

  /** The thread of a bundle; a new one when there is none that lives. */
  async #thread(hash: string, bundle: string): Promise<CodeThread> {
    const source = await threadSource()
    const known = this.#threads.get(hash)
    this.#threads.delete(hash)
    const thread =
      known && !known.isOver
        ? known
        : new CodeThread(source, bundle, this.#limits, (text) =>
            this.#logger.info({ bundle: hash.slice(0, 12), text: text.trimEnd() }, 'a code workflow writes'),
          )
    this.#threads.set(hash, thread)
    this.#spare()
    return thread
  }

  /** Ends threads over the limit, those first that were asked longest ago, but none that is at work. */
  #spare(): void {
    for (const [hash, thread] of [...this.#threads].slice(0, -1)) {
      if (this.#threads.size <= this.#maxThreads) return
      if (!thread.isIdle && !thread.isOver) continue
      this.#threads.delete(hash)
      thread.close().catch((error: unknown) => this.#logger.warn({ err: error }, 'a thread did not close'))
    }
  }
}
