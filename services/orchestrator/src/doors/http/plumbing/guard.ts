// A limit on every call behind the door: a client of a Redis that is away waits for ever, a caller must not.
import { Rejection } from '../problems.ts'

/** Longer than a stall of Redis that the fleet shrugs off (2 s), shorter than a caller's patience. */
export const CALL_LIMIT_MS = 5_000

/** What `promise` gives, or `fleet_unavailable` after `limitMs`. The call itself may still take effect later. */
export const within = async <T>(promise: Promise<T>, limitMs: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(
      () => fail(new Rejection('fleet_unavailable', 'the store does not answer; send the same request again')),
      limitMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The same port with every method under the limit. Only for ports whose methods all give promises. */
export const guarded = <T extends object>(port: T, limitMs: number): T =>
  new Proxy(port, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => within(Promise.resolve(Reflect.apply(member, target, args)), limitMs)
    },
  })
