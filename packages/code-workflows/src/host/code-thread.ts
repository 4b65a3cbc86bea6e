// CodeThread: a thread of one bundle as the host sees it. One request at a time, so that it is known whose code is
// running; a thread that computes for too long is ended.
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import type { ThreadData, ThreadReply, ThreadRequest } from './protocol.ts'

export interface ThreadLimits {
  /** Processor time that one request may take, milliseconds. */
  cpuMs: number
  /** Of the heap. */
  memoryMb: number
  /** Runs whose code is kept in a thread. */
  maxRuns: number
}

/**
 * `stalled` and `died` (of what it says): while this very request was served. `closed`: before its turn; whose fault it
 * was is not known.
 */
export type Gone = { type: 'gone'; how: 'stalled' | 'died' | 'closed'; why: string }

/** A thread that gets no processor time at all is not stalled, but nobody waits for ever. */
const WALL_FACTOR = 15
const LOOKS_PER_LIMIT = 20

interface Pending {
  request: ThreadRequest
  settle(answer: ThreadReply | Gone): void
}

export class CodeThread {
  readonly #limits: ThreadLimits
  readonly #worker: Worker
  readonly #queue: Pending[] = []
  #current: Pending | null = null
  #over: Gone | null = null
  #watch: NodeJS.Timeout | undefined

  /** `source` is threadSource(); `print` is given what the code writes to its console. */
  constructor(source: URL, bundle: string, limits: ThreadLimits, print: (text: string) => void) {
    this.#limits = limits
    const workerData: ThreadData = { bundle, maxRuns: limits.maxRuns }
    // its own (empty) environment: no setting and no secret of this process
    this.#worker = new Worker(source, {
      workerData,
      env: {},
      execArgv: [],
      stdout: true,
      stderr: true,
      name: 'stepfleet-code',
      resourceLimits: { maxOldGenerationSizeMb: limits.memoryMb },
    })
    this.#worker.unref()
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', print)
    }
    this.#worker.on('message', (reply: ThreadReply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#end('died', error.message))
    this.#worker.on('exit', (code) => this.#end('died', `it ended with code ${code}`))
  }

  get isOver(): boolean {
    return this.#over !== null
  }

  get isIdle(): boolean {
    return this.#current === null
  }

  /** Answers in the order of the requests; never rejects. */
  request(request: Exclude<ThreadRequest, { type: 'drop' }>): Promise<ThreadReply | Gone> {
    if (this.#over) return Promise.resolve(this.#over)
    return new Promise((settle) => {
      this.#queue.push({ request, settle })
      this.#next()
    })
  }

  /** Forgets the code of a run. */
  drop(key: string): void {
    const request: ThreadRequest = { type: 'drop', key }
    if (!this.#over) this.#worker.postMessage(request)
  }

  async close(): Promise<void> {
    this.#end('closed', 'it was closed')
    await this.#worker.terminate()
  }

  #next(): void {
    if (this.#current || this.#over) return
    const pending = this.#queue.shift()
    if (!pending) return
    this.#current = pending
    this.#worker.postMessage(pending.request)
    this.#watch = this.#watching()
  }

  #settle(answer: ThreadReply | Gone): void {
    clearInterval(this.#watch)
    const pending = this.#current
    this.#current = null
    pending?.settle(answer)
    this.#next()
  }

  /** The first reason counts; those who wait for their turn hear that it never came. */
  #end(how: Gone['how'], why: string): void {
    if (this.#over) return
    this.#over = { type: 'gone', how: 'closed', why }
    this.#settle({ type: 'gone', how, why })
    for (const pending of this.#queue.splice(0)) pending.settle(this.#over)
  }

  /**
   * Looks at the processor time since the request. How long the thread's loop was busy counts time that other processes
   * had; all that this process used counts its other threads. It has used no more than the smaller of the two.
   */
  #watching(): NodeJS.Timeout {
    const { cpuMs } = this.#limits
    const startedMs = performance.now()
    const cpu = process.cpuUsage()
    const loop: EventLoopUtilization = this.#worker.performance.eventLoopUtilization()
    const look = (): void => {
      const { user, system } = process.cpuUsage(cpu)
      const busyMs = this.#worker.performance.eventLoopUtilization(loop).active
      const usedMs = Math.min((user + system) / 1_000, busyMs)
      if (usedMs < cpuMs && performance.now() - startedMs < cpuMs * WALL_FACTOR) return
      this.#end('stalled', `it computed for more than ${cpuMs} ms between two steps`)
      void this.#worker.terminate()
    }
    return setInterval(look, cpuMs / LOOKS_PER_LIMIT).unref()
  }
}
