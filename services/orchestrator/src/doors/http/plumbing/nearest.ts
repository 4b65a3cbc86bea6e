// The nearest right spelling of a name.

/** Edit distance where a swap of neighbours counts once. Source: https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance */
const distance = (a: string, b: string): number => {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforeLast[j - 2] ?? replaced) + 1 : replaced
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced, swapped))
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}

/** The candidate that differs from `name` in at most a third of its letters (at least one), or null. */
export const nearest = (name: string, candidates: Iterable<string>): string | null => {
  const short = name.slice(0, 200)
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(short.length / 3)) + 1
  for (const candidate of candidates) {
    const d = distance(short, candidate)
    if (d < bestDistance) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}
