// How long the tests wait: long enough for a busy machine, since what they wait for is a condition. Bounds on
// recovery are asserted apart, with RECOVERY_MS.
import { type EventuallyOptions, eventually as within } from '@stepfleet/testkit'

export const PATIENCE_MS = 60_000
/** Of one test, all its waits together. */
export const TEST_MS = 240_000
/** Starting a fleet. */
export const START_MS = 120_000
/** From a fault to the first progress. On an idle machine it takes about a second; see the figures that are told. */
export const RECOVERY_MS = 10_000

/** As the testkit's, with the patience of these tests. */
export const eventually = <T>(check: () => T | Promise<T>, options: EventuallyOptions = {}) =>
  within(check, { timeoutMs: PATIENCE_MS, everyMs: 20, ...options })
