// Waits for a condition, so that no test waits for a time.
export interface EventuallyOptions {
  /** Default 10,000. */
  timeoutMs?: number
  /** What is waited for, as the error tells it: `the run to complete`. */
  what?: string
  /** Default 10. */
  everyMs?: number
}

type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>

/** Asks again until the check answers something true, and answers that. A check may throw: that counts as not yet. */
export const eventually = async <T>(
  check: () => T | Promise<T>,
  { timeoutMs = 10_000, what = 'the condition', everyMs = 10 }: EventuallyOptions = {},
): Promise<Truthy<T>> => {
  const until = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      last = await check()
      if (last) return last as Truthy<T>
    } catch (error) {
      last = error
    }
    if (Date.now() >= until) break
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  const seen = last instanceof Error ? last.message : JSON.stringify(last)
  throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${seen}`, { cause: last })
}
