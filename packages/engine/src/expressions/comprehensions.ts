// Comprehensions: `list.map(x, …)`, `filter`, `all`, `exists`, `exists_one`; over a map they see its keys.
import type { Json } from '@stepfleet/contracts'
import type { Evaluate, Frame } from './build.ts'
import { truth } from './operators.ts'
import { charge, ExpressionError, isMap, kindOf } from './values.ts'

export const COMPREHENSIONS = ['map', 'filter', 'all', 'exists', 'exists_one'] as const
export type Comprehension = (typeof COMPREHENSIONS)[number]

export interface Loop {
  over: Evaluate
  /** Where the variable lies in `Frame.locals`. */
  slot: number
  /** The transform of `map(x, …)`; the condition of all others; with two, condition then transform. */
  bodies: readonly Evaluate[]
}

const itemsOf = (value: Json, name: string): Json[] => {
  if (Array.isArray(value)) return value
  if (isMap(value)) return Object.keys(value)
  throw new ExpressionError(`${name}() goes over a list or the keys of a map, not over ${kindOf(value)}`)
}

/** The items one after the other, each in its slot and paid for. */
function* each(frame: Frame, loop: Loop, name: string): Generator<Json> {
  for (const item of itemsOf(loop.over(frame), name)) {
    charge(frame, 1)
    frame.locals[loop.slot] = item
    yield item
  }
}

const map = (loop: Loop): Evaluate => {
  const [first, second] = loop.bodies
  const transform = second ?? first
  const condition = second ? first : undefined
  return (frame) => {
    const results: Json[] = []
    for (const _ of each(frame, loop, 'map')) {
      if (condition && !truth(condition(frame), 'the condition of map()')) continue
      results.push(transform?.(frame) ?? null)
    }
    return results
  }
}

const filter = (loop: Loop, condition: Evaluate): Evaluate => {
  return (frame) => {
    const kept: Json[] = []
    for (const item of each(frame, loop, 'filter')) {
      if (truth(condition(frame), 'the condition of filter()')) kept.push(item)
    }
    return kept
  }
}

/** `all` and `exists`: one item may decide; errors of other items are then forgiven, as in CEL. */
const quantifier = (loop: Loop, condition: Evaluate, name: 'all' | 'exists'): Evaluate => {
  const deciding = name === 'exists'
  return (frame) => {
    let failed: ExpressionError | null = null
    for (const _ of each(frame, loop, name)) {
      try {
        if (truth(condition(frame), `the condition of ${name}()`) === deciding) return deciding
      } catch (error) {
        if (!(error instanceof ExpressionError) || error.limit) throw error
        failed ??= error
      }
    }
    if (failed) throw failed
    return !deciding
  }
}

const existsOne = (loop: Loop, condition: Evaluate): Evaluate => {
  return (frame) => {
    let count = 0
    for (const _ of each(frame, loop, 'exists_one')) {
      if (truth(condition(frame), 'the condition of exists_one()')) count += 1
    }
    return count === 1
  }
}

export const comprehension = (name: Comprehension, loop: Loop): Evaluate => {
  const condition: Evaluate = loop.bodies[0] ?? (() => null)
  switch (name) {
    case 'map':
      return map(loop)
    case 'filter':
      return filter(loop, condition)
    case 'all':
    case 'exists':
      return quantifier(loop, condition, name)
    case 'exists_one':
      return existsOne(loop, condition)
  }
}
