// nearest: the right name that a wrong one most likely meant.

/** Levenshtein distance, one row at a time. Source: https://en.wikipedia.org/wiki/Levenshtein_distance */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** The nearest of `names`, or null when none is near (more than half of it would have to change). */
export const nearest = (wrong: string, names: readonly string[]): string | null => {
  const word = wrong.slice(0, 64).toLowerCase()
  const ranked = names.map((name) => ({ name, far: distance(word, name.toLowerCase()) })).sort((a, b) => a.far - b.far)
  const best = ranked[0]
  return best && best.far <= Math.ceil(best.name.length / 2) ? best.name : null
}
