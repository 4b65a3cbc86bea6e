// The nearest right spelling of a name.

/** Levenshtein distance. Source: Wagner, Fischer, "The String-to-String Correction Problem", 1974. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replace))
    }
    row = next
  }
  return row[b.length] ?? 0
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
