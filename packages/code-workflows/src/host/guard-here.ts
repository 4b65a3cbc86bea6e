// The guard of guard.ts for code that shares its process with others, such as a test runner: who asks for a clock is
// refused it only when the code of a workflow asks, however deep in its promises. It is known by its async context.
import { AsyncLocalStorage } from 'node:async_hooks'
import { HINTS, refuseChance, refusing, stillDate, stopFormats } from './guard.ts'

const context = new AsyncLocalStorage<true>()
const isCode = (): boolean => context.getStore() === true

/** Calls into the code of a workflow; what follows of it in promises belongs to it too. */
export const asCode = <T>(call: () => T): T => context.run(true, call)

type Undo = () => void

/** The code finds `forCode` under a name, all others what was there. Others may set it meanwhile, as spies do. */
const divide = (target: object, name: string, forCode: unknown): Undo => {
  const before = Object.getOwnPropertyDescriptor(target, name)
  let set: { value: unknown } | null = null
  const real = (): unknown => (set ? set.value : before?.get ? before.get.call(target) : before?.value)
  const get = (): unknown => (isCode() ? forCode : real())
  const change = (value: unknown): void => {
    set = { value }
  }
  Object.defineProperty(target, name, { get, set: change, enumerable: before?.enumerable ?? false, configurable: true })
  return () => {
    // somebody has defined it anew: it is theirs
    if (Object.getOwnPropertyDescriptor(target, name)?.get !== get) return
    if (set) Object.defineProperty(target, name, { ...set, writable: true, enumerable: true, configurable: true })
    else if (before) Object.defineProperty(target, name, before)
    else Reflect.deleteProperty(target, name)
  }
}

/** A console may look at the clock for its own sake. */
const outsideConsole = (real: Console): Console =>
  new Proxy(real, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => context.exit(() => Reflect.apply(value, target, args))
    },
  })

/** Promises of code that failed before anybody looked at them. */
const hushedPromises = new WeakSet<WeakKey>()

const isPromise = (value: unknown): value is WeakKey => value instanceof Promise

/** A promise of the code that fails before anybody looks at it is no mistake, as in a thread. */
const hushRejections = (): Undo => {
  const { emit } = process
  const hushed = (event: string, ...args: unknown[]): boolean => {
    const promise = args.at(-1)
    if (event === 'unhandledRejection' && isCode() && isPromise(promise)) {
      hushedPromises.add(promise)
      return true
    }
    // or Node would warn of it
    if (event === 'rejectionHandled' && isPromise(promise) && hushedPromises.has(promise)) return true
    return Reflect.apply(emit, process, [event, ...args])
  }
  Object.defineProperty(process, 'emit', { value: hushed, writable: true, enumerable: true, configurable: true })
  return () => {
    if (process.emit === (hushed as unknown)) Reflect.deleteProperty(process, 'emit')
  }
}

const install = (): Undo[] => [
  ...Object.entries(HINTS).map(([name, hint]) => divide(globalThis, name, refusing(name, hint))),
  divide(globalThis, 'Date', stillDate(Date)),
  divide(globalThis, 'console', outsideConsole(console)),
  divide(Math, 'random', refuseChance),
  stopFormats(isCode),
  hushRejections(),
]

/** Simulations may run side by side: the first one puts the guard up, the last one takes it away. */
let users = 0
let undos: Undo[] = []

/** Guards the code of workflows while `act` is under way. */
export const guarded = async <T>(act: () => Promise<T>): Promise<T> => {
  if (users === 0) undos = install()
  users += 1
  try {
    return await act()
  } finally {
    users -= 1
    if (users === 0) for (const undo of undos.splice(0).reverse()) undo()
  }
}
