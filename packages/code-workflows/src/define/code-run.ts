// CodeRun: the code of one run between two moments. It is told how steps ended, one after another in the order of the
// journal, and says which steps it asks for next. The same words always get the same answer: that is what a replay is.
import type { Json } from '@stepfleet/contracts'
import type { CodeInstance, CodeStart, CodeState, EndedStep, Threw } from '../host/protocol.ts'
import { literalOf, Secret } from './literal.ts'
import { createRandom, uuidOf } from './random.ts'
import type { Run } from './run.ts'
import { isStepError, StepError } from './step-error.ts'
import {
  type Asking,
  agentStep,
  anyStep,
  approvalStep,
  childStep,
  llmStep,
  signalStep,
  toolStep,
  waitStep,
} from './steps.ts'

/** A step name of the format, STEP_NAME of the contracts: a bundle carries no more of them than it must. */
export const NAME = /^[a-z][a-z0-9_]{0,47}$/

interface Waiting {
  resolve(output: unknown): void
  reject(error: unknown): void
  read(output: Json): unknown
  /** The code waits for it, or has. */
  isHeard(): boolean
}

/** Tells when somebody waits for it. `await` asks a promise of a class of its own for its `then`. */
class StepPromise<T> extends Promise<T> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  heard: () => void = () => undefined

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    resolved?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.heard()
    return super.then(resolved, rejected)
  }
}

const threw = (error: unknown, kind: Threw['kind'] = 'error'): Threw => {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  if (!isStepError(error)) return { status: 'threw', kind, message, stack, step: null, failure: null }
  return { status: 'threw', kind: 'step', message, stack, step: error.step, failure: error.failure }
}

export class CodeRun implements CodeInstance {
  readonly #names = new Set<string>()
  readonly #waiting = new Map<string, Waiting>()
  readonly #bits: () => number
  readonly #start: CodeStart
  #asked: { name: string; step: Json }[] = []
  /** Failures of steps that nobody waits for yet, by the names of the steps. */
  readonly #unheard = new Map<string, StepError>()
  #nowMs: number
  #state: CodeState = { status: 'waiting' }

  constructor(start: CodeStart) {
    this.#start = start
    this.#bits = createRandom(`${start.ns}/${start.run}`)
    this.#nowMs = start.startedAtMs
  }

  /** Runs the code up to the first steps it waits for; what follows, follows in microtasks. */
  begin(main: (run: Run) => unknown): void {
    const run = this.#run()
    const ended = async (): Promise<void> => {
      const output = await main(run)
      const [unheard] = this.#unheard.values()
      if (unheard) {
        this.#end(threw(unheard))
        return
      }
      this.#end({ status: 'returned', output: output === undefined ? null : literalOf(output, 'output') })
    }
    ended().catch((error: unknown) => this.fail(error))
  }

  /** How a step ended. The caller lets the code run until nothing moves before it says the next. */
  deliver({ name, atMs, result }: EndedStep): void {
    const waiting = this.#waiting.get(name)
    this.#waiting.delete(name)
    if (!waiting) {
      this.#end(threw(new Error(`step ${name} ended before the code had asked for it`), 'changed'))
      return
    }
    this.#nowMs = atMs
    if (result.status === 'failed') this.#reject(waiting, name, new StepError(name, result.failure))
    else if (result.status === 'skipped') waiting.resolve(null)
    else this.#resolve(waiting, result.output)
  }

  /** The code, or what it left behind, threw. */
  fail(error: unknown): void {
    this.#end(threw(error))
  }

  /** The steps that were asked for since the last time, and where the code is now. */
  take(): { asked: { name: string; step: Json }[]; state: CodeState } {
    const asked = this.#asked
    this.#asked = []
    return { asked, state: this.#state }
  }

  /** A failure that no line of the code waits for must not be lost: the run fails for it when the code returns. */
  #reject(waiting: Waiting, name: string, error: StepError): void {
    if (!waiting.isHeard()) this.#unheard.set(name, error)
    waiting.reject(error)
  }

  #resolve(waiting: Waiting, output: Json): void {
    try {
      waiting.resolve(waiting.read(output))
    } catch (error) {
      waiting.reject(error)
    }
  }

  /** The first end counts. */
  #end(state: CodeState): void {
    if (this.#state.status === 'waiting') this.#state = state
  }

  /** A mistake in the code itself ends the run, caught or not. */
  #mistake(error: unknown): never {
    this.fail(error)
    throw error
  }

  #claim(name: string): void {
    if (!NAME.test(name)) {
      throw new TypeError(`${JSON.stringify(name)} is no step name: a lower case letter, then letters, digits and _`)
    }
    if (this.#names.has(name))
      throw new Error(`step ${name} is asked for twice; each step of a run has a name of its own`)
    this.#names.add(name)
  }

  /** `T`: the methods of Run say what each kind gives; its schema has read it. */
  #ask<T>(name: string, make: () => Asking): Promise<T> {
    try {
      this.#claim(name)
      const { step, read } = make()
      this.#asked.push({ name, step })
      let isHeard = false
      const promise = new StepPromise<T>((resolve, reject) => {
        this.#waiting.set(name, { resolve: (output) => resolve(output as T), reject, read, isHeard: () => isHeard })
      })
      // whether anybody waits for it is up to the code
      promise.catch(() => undefined)
      promise.heard = () => {
        isHeard = true
        this.#unheard.delete(name)
      }
      return promise
    } catch (error) {
      if (error instanceof TypeError && NAME.test(name)) error.message = `step ${name}: ${error.message}`
      return this.#mistake(error)
    }
  }

  #run(): Run {
    return Object.freeze<Run>({
      id: this.#start.run,
      llm: (name, step) => this.#ask(name, () => llmStep(step)),
      agent: (name, step) => this.#ask(name, () => agentStep(step)),
      tool: (name, step) => this.#ask(name, () => toolStep(step)),
      approval: (name, step) => this.#ask(name, () => approvalStep(step)),
      wait: (name, time) => this.#ask(name, () => waitStep(time)),
      signal: (name, step) => this.#ask(name, () => signalStep(name, step)),
      child: (name, step) => this.#ask(name, () => childStep(step)),
      step: (name, step) => this.#ask(name, () => anyStep(step)),
      all: (promises) => Promise.all(promises),
      now: () => this.#nowMs,
      random: () => this.#bits() / 2 ** 32,
      uuid: () => uuidOf(this.#bits),
      secret: (name, around) => new Secret(name, around),
    })
  }
}
