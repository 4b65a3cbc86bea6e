// What the tests take from their environment, and what they hand to the processes they start.

/** Nothing of the test runner's own environment reaches the system under test. */
export const baseEnv = (): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
})

/** STEPFLEET_E2E_KEEP=1 leaves logs and ledgers where they are, for a look at what went wrong. */
export const keepsFiles = (): boolean => process.env.STEPFLEET_E2E_KEEP === '1'

/** STEPFLEET_E2E_SEED repeats the faults of an earlier run. */
export const seedOf = (): number => {
  const given = Number(process.env.STEPFLEET_E2E_SEED)
  return Number.isInteger(given) && given > 0 ? given : Date.now() % 1_000_000_000
}
