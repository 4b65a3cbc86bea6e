// Literals: what the code of a workflow hands over becomes plain JSON at once, so that nothing it does later changes it.
import type { Json } from '@stepfleet/contracts'

/** The name of a secret, with the text around it. Only a worker that runs a tool ever sees the value. */
export class Secret {
  readonly #name: string
  readonly #before: string
  readonly #after: string

  constructor(name: string, around: { before?: string; after?: string } = {}) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a secret`)
    this.#name = name
    this.#before = around.before ?? ''
    this.#after = around.after ?? ''
  }

  /** What a worker puts the value in the place of. */
  marker(): Json {
    const secret: Json = { $secret: this.#name }
    const parts = [this.#before, secret, this.#after].filter((part) => part !== '')
    return parts.length === 1 ? secret : { $concat: parts }
  }
}

const MARKERS: readonly string[] = ['$secret', '$concat']

const refuse = (at: string, why: string): never => {
  throw new TypeError(`${at}: ${why}`)
}

const literalOfObject = (value: object, at: string, secrets: boolean): Json => {
  if (value instanceof Secret) {
    return secrets ? value.marker() : refuse(at, 'a secret can only be used in the `with` of a tool')
  }
  if (Array.isArray(value)) return value.map((item, i) => literalOf(item ?? null, `${at}.${i}`, secrets))
  if ('toJSON' in value && typeof value.toJSON === 'function') return literalOf(value.toJSON(), at, secrets)
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) {
    return refuse(at, `JSON cannot carry a ${prototype.constructor?.name ?? 'class'}`)
  }
  const made: { [key: string]: Json } = {}
  for (const [key, field] of Object.entries(value)) {
    if (key === '__proto__') refuse(at, '`__proto__` cannot be a key')
    // a model or a caller that answers {"$secret": "X"} would be handed it by the worker
    if (secrets && MARKERS.includes(key)) refuse(at, `data may not hold the key \`${key}\`; use run.secret`)
    if (field !== undefined) made[key] = literalOf(field, `${at}.${key}`, secrets)
  }
  return made
}

/**
 * A copy of a value as JSON. Where `secrets` is true, those of `run.secret` become markers, and data that looks like one
 * is refused. Throws a TypeError with the place for what JSON cannot carry.
 */
export const literalOf = (value: unknown, at: string, secrets = false): Json => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : refuse(at, `JSON cannot carry ${value}`)
    case 'object':
      return value === null ? null : literalOfObject(value, at, secrets)
    default:
      return refuse(at, `JSON cannot carry ${value === undefined ? 'undefined' : `a ${typeof value}`}`)
  }
}
