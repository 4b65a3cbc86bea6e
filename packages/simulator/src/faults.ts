// Faults: what goes wrong at which step, and how often.
import { FAILURE_CODES, type Failure, failure } from '@stepfleet/contracts'
import { InvalidOptions } from './errors.ts'
import type { Fault } from './options.ts'

const stepOf = (fault: Fault): string => {
  if ('fail' in fault) return fault.fail.step
  if ('loseWorker' in fault) return fault.loseWorker.step
  return 'crashAfter' in fault ? fault.crashAfter : fault.deliverTwice
}

const KINDS = ['fail', 'loseWorker', 'crashAfter', 'deliverTwice']

const checkFault = (fault: Fault, index: number): void => {
  const [kind, more] = Object.keys(fault)
  if (kind === undefined || more !== undefined || !KINDS.includes(kind)) {
    throw new InvalidOptions(`faults[${index}] must have exactly one of ${KINDS.join(', ')}`)
  }
  if ('fail' in fault && !Object.hasOwn(FAILURE_CODES, fault.fail.code)) {
    throw new InvalidOptions(`faults[${index}]: ${fault.fail.code} is no failure code`)
  }
  if (typeof stepOf(fault) !== 'string') throw new InvalidOptions(`faults[${index}] names no step`)
}

export class Faults {
  readonly #faults: readonly Fault[]
  /** Times each happened, by fault and path. */
  readonly #times = new Map<string, number>()
  readonly #used = new Set<number>()

  constructor(faults: readonly Fault[]) {
    this.#faults = faults
    faults.forEach(checkFault)
  }

  /** The steps that faults name, with what they need of them. */
  get steps(): { index: number; step: string; needsTask: boolean }[] {
    return this.#faults.map((fault, index) => ({ index, step: stepOf(fault), needsTask: !('crashAfter' in fault) }))
  }

  get unused(): string[] {
    return this.#faults.flatMap((_, index) => (this.#used.has(index) ? [] : [`faults[${index}]`]))
  }

  /** What this attempt fails with, or null. */
  failureFor(names: readonly string[], path: string, attempt: number): Failure | null {
    for (const [index, fault] of this.#faults.entries()) {
      if (!('fail' in fault) || !names.includes(fault.fail.step)) continue
      const { code, message } = fault.fail
      if (fault.fail.attempt !== undefined && fault.fail.attempt !== attempt) continue
      const times = fault.fail.times ?? 1
      if (this.#happens(index, path, times)) return failure(code, message ?? `a fault of the simulation: ${code}`)
    }
    return null
  }

  losesWorker(names: readonly string[], path: string): boolean {
    return this.#faults.some(
      (fault, index) =>
        'loseWorker' in fault &&
        names.includes(fault.loseWorker.step) &&
        this.#happens(index, path, fault.loseWorker.times ?? 1),
    )
  }

  crashesAfter(names: readonly string[], path: string): boolean {
    return this.#faults.some(
      (fault, index) => 'crashAfter' in fault && names.includes(fault.crashAfter) && this.#happens(index, path, 1),
    )
  }

  deliversTwice(names: readonly string[], path: string): boolean {
    return this.#faults.some(
      (fault, index) => 'deliverTwice' in fault && names.includes(fault.deliverTwice) && this.#happens(index, path, 1),
    )
  }

  #happens(index: number, path: string, times: number): boolean {
    const key = `${index} ${path}`
    const before = this.#times.get(key) ?? 0
    if (before >= times) return false
    this.#times.set(key, before + 1)
    this.#used.add(index)
    return true
  }
}
