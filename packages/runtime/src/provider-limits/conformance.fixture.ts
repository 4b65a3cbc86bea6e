// The conformance suite of the limits of model providers: what both of them promise.
import { afterEach, describe } from 'vitest'
import { Bench, type MakeLimits } from './conformance-bench.fixture.ts'
import { linesConformance } from './conformance-lines.fixture.ts'
import { ratesConformance } from './conformance-rates.fixture.ts'

/** `make` gives empty limits for each test. */
export const providerLimitsConformance = (name: string, make: MakeLimits): void => {
  describe(name, () => {
    const bench = new Bench(make)
    afterEach(() => bench.stop())
    ratesConformance(bench)
    linesConformance(bench)
  })
}
