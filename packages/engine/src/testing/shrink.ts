// shrink: the smallest definition that still shows what is wrong. A finding of a random definition is told with it.
import type { Definition, Json } from '@stepfleet/contracts'

const isMap = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What a kind cannot do without, and what never says anything. */
const KEPT = new Set([
  'name',
  'model',
  'prompt',
  'workflow',
  'key',
  'limit',
  'per',
  'ttl',
  'in',
  'max',
  'tools',
  'input',
])

/** The value with one part less, in every way: a key, an item, a block in place of which its steps stand. */
function* smaller(value: Json): Generator<Json> {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      yield value.toSpliced(at, 1)
      for (const less of smaller(item)) yield value.with(at, less)
    }
  } else if (isMap(value)) {
    for (const [key, item] of Object.entries(value)) {
      const { [key]: _, ...rest } = value
      if (!KEPT.has(key)) yield rest
      // an agent without its tools would be another story
      if (key !== 'tools') for (const less of smaller(item)) yield { ...value, [key]: less }
    }
    if (isMap(value.steps)) yield* Object.values(value.steps)
  }
}

/** Makes the definition smaller as long as `isWrong` says so; what throws is no definition. At most `tries` are judged. */
export const shrink = (
  definition: Definition,
  isWrong: (smaller: Definition) => boolean,
  tries = 3_000,
): Definition => {
  let left = tries
  const check = (candidate: Json): candidate is Definition & Json => {
    left -= 1
    try {
      return isWrong(candidate as Definition)
    } catch {
      return false
    }
  }
  const next = (from: Definition): Definition | null => {
    for (const candidate of smaller(from as Json)) {
      if (left <= 0) return null
      if (check(candidate)) return candidate
    }
    return null
  }
  let smallest = definition
  for (let less = next(smallest); less !== null; less = next(smallest)) smallest = less
  return smallest
}
