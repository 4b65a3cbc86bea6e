// What the code of a workflow does not find in its thread: clocks, chance, the network, timers, the process. A replay
// must see what the first time saw. It guards against mistakes; it is no fence around code that nobody trusts.

const STEP = "what it wants from the world is a step: run.tool('…', { tool: 'http', … }), or a tool of your own"
const CLOCK = 'a replay would see another time: use run.now()'
const TIMER = "use run.wait('…', '10m'), which holds no thread"
const CHANCE = 'a replay would draw another number: use run.random() or run.uuid()'
const PROCESS = 'a replay may run in another process: take settings from the input'
const GARBAGE = 'when memory is freed is not the same in a replay'

/** Names that people try, each with what to do instead. Other things of the host are simply not there. */
export const HINTS: Readonly<Record<string, string>> = {
  fetch: STEP,
  WebSocket: STEP,
  EventSource: STEP,
  XMLHttpRequest: STEP,
  setTimeout: TIMER,
  setInterval: TIMER,
  setImmediate: TIMER,
  performance: CLOCK,
  crypto: CHANCE,
  process: PROCESS,
  require: 'a workflow is one bundle: import what it needs at the top of its file',
  WeakRef: GARBAGE,
  FinalizationRegistry: GARBAGE,
}

/** The language itself, and what computes and no more. */
const KEPT: ReadonlySet<string> = new Set(
  `AggregateError Array ArrayBuffer AsyncDisposableStack BigInt BigInt64Array BigUint64Array Boolean DataView Date
  DisposableStack Error EvalError Float16Array Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array
  Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set String
  SuppressedError Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap
  WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat
  parseInt undefined unescape
  AbortController Buffer DOMException Event EventTarget TextDecoder TextEncoder URL URLSearchParams atob btoa console
  queueMicrotask structuredClone`.split(/\s+/),
)

const refuse = (what: string, hint: string): never => {
  throw new Error(`${what} is not there in the code of a workflow: ${hint}`)
}

/** Throws at any use; `typeof` and being handed around are no use yet. */
export const refusing = (name: string, hint: string): unknown =>
  // an arrow function could not be constructed, whatever the trap says
  new Proxy(function nothing() {}, {
    apply: () => refuse(name, hint),
    construct: () => refuse(name, hint),
    get: (_, key) => refuse(typeof key === 'string' ? `${name}.${key}` : name, hint),
  })

const put = (target: object, name: string, value: unknown): void => {
  Object.defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true })
}

/** A `Date` that knows no time of its own. */
export const stillDate = (real: DateConstructor): DateConstructor =>
  new Proxy(real, {
    apply: () => refuse('Date()', CLOCK),
    construct: (target, args: unknown[], made) =>
      args.length === 0 ? refuse('new Date()', CLOCK) : Reflect.construct(target, args, made),
    get: (target, key) => (key === 'now' ? () => refuse('Date.now', CLOCK) : Reflect.get(target, key)),
  })

export const refuseChance = (): never => refuse('Math.random', CHANCE)

/** Formats that would take the time of now. `isCode`: who asks is the code of a workflow. Gives what undoes it. */
export const stopFormats = (isCode: () => boolean): (() => void) => {
  const { prototype } = Intl.DateTimeFormat
  const format = Object.getOwnPropertyDescriptor(prototype, 'format') ?? {}
  const { formatToParts } = prototype
  Object.defineProperty(prototype, 'format', {
    configurable: true,
    get(this: Intl.DateTimeFormat) {
      const own: (date: unknown) => string = format.get?.call(this)
      return (date: unknown) => (date === undefined && isCode() ? refuse('format() without a time', CLOCK) : own(date))
    },
  })
  put(prototype, 'formatToParts', function (this: Intl.DateTimeFormat, date?: Date | number) {
    return date === undefined && isCode()
      ? refuse('formatToParts() without a time', CLOCK)
      : formatToParts.call(this, date)
  })
  return () => {
    Object.defineProperty(prototype, 'format', format)
    put(prototype, 'formatToParts', formatToParts)
  }
}

const stopClock = (): void => {
  const Real = Date
  const Still = stillDate(Real)
  put(Real, 'now', Still.now)
  put(Real.prototype, 'constructor', Still)
  put(globalThis, 'Date', Still)
  stopFormats(() => true)
}

/** Takes the world away from this thread, for good. Before any code of a user is loaded. */
export const removeWorld = (): void => {
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!KEPT.has(name) && !(name in HINTS)) Reflect.deleteProperty(globalThis, name)
  }
  for (const [name, hint] of Object.entries(HINTS)) put(globalThis, name, refusing(name, hint))
  put(Math, 'random', refuseChance)
  stopClock()
}
