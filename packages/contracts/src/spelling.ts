// The nearest right spelling of a name that somebody mistyped.

/**
 * Edit distance (optimal string alignment: insert, delete, replace, swap of neighbours), given up with
 * `limit + 1` once it must be over `limit`. Source: https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance
 */
export const editDistance = (a: string, b: string, limit = Number.POSITIVE_INFINITY): number => {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1)
      row.push(best)
    }
    if (Math.min(...row) > limit) return limit + 1
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}

/** Names longer than this are never typos of ours; comparing them would only cost time. */
const LONGEST = 64
/** A map can have any number of keys; the nearest among the first ones is good enough. */
const MOST = 2_000

/**
 * The nearest of `names` to `wrong`, or null when none is near: at most a third of its letters may differ,
 * so `lm` finds `llm` and `x` finds nothing. Ties go to the earlier name.
 */
export const nearest = (wrong: string, names: Iterable<string>): string | null => {
  if (wrong.length > LONGEST) return null
  const lower = wrong.toLowerCase()
  let limit = wrong.length < 2 ? 0 : Math.max(1, Math.floor(wrong.length / 3))
  let found: string | null = null
  let seen = 0
  for (const name of names) {
    seen += 1
    if (seen > MOST) break
    const distance = editDistance(lower, name.toLowerCase(), limit)
    if (distance > limit || (found !== null && distance === limit)) continue
    found = name
    limit = distance
  }
  return found
}
