// The raw definition as plain JSON: a copy that the checks may cut parts out of.
import type { Json } from '@stepfleet/contracts'
import type { JsonMap } from '../../expressions/values.ts'
import type { Findings, Path } from './findings.ts'

/** Deeper than any definition has to be; keeps every walk over it clear of the stack's end. */
const MAX_DEPTH = 64

type Copy = { ok: true; value: Json } | { ok: false }

const copyMap = (raw: object, path: Path, findings: Findings): Copy => {
  const copy: JsonMap = {}
  for (const [key, value] of Object.entries(raw)) {
    if (key === '__proto__') findings.error([...path, key], 'invalid_value', '`__proto__` cannot be a key')
    else if (value !== undefined) {
      const made = copyJson(value, [...path, key], findings)
      if (made.ok) copy[key] = made.value
    }
  }
  return { ok: true, value: copy }
}

/** A deep copy of what JSON can carry; anything else is reported and left out. */
export const copyJson = (raw: unknown, path: Path, findings: Findings): Copy => {
  if (path.length > MAX_DEPTH) {
    findings.error(path.slice(0, 8), 'invalid_value', `nested over ${MAX_DEPTH} levels deep`)
    return { ok: false }
  }
  if (raw === null || typeof raw === 'string' || typeof raw === 'boolean') return { ok: true, value: raw }
  if (typeof raw === 'number' && Number.isFinite(raw)) return { ok: true, value: raw }
  if (Array.isArray(raw)) {
    const items = raw.map((item, i) => copyJson(item, [...path, i], findings))
    return { ok: true, value: items.map((item) => (item.ok ? item.value : null)) }
  }
  if (typeof raw === 'object') return copyMap(raw, path, findings)
  findings.error(path, 'wrong_type', 'JSON has no such value')
  return { ok: false }
}

/** The value at a place, undefined when there is none. */
export const valueAt = (root: Json, path: Path): Json | undefined => {
  let value: Json | undefined = root
  for (const key of path) {
    if (value === null || typeof value !== 'object') return undefined
    if (Array.isArray(value)) value = typeof key === 'number' || /^\d+$/.test(key) ? value[Number(key)] : undefined
    else value = Object.hasOwn(value, key) ? value[key] : undefined
  }
  return value
}

/** Puts a value at a place whose parent is there. */
export const putAt = (root: Json, path: Path, value: Json): void => {
  const key = path.at(-1)
  const parent = valueAt(root, path.slice(0, -1))
  if (key === undefined || parent === undefined || parent === null || typeof parent !== 'object') return
  if (Array.isArray(parent)) parent[Number(key)] = value
  else parent[key] = value
}

/** Cuts out the value at a place. */
export const removeAt = (root: Json, path: Path): void => {
  const key = path.at(-1)
  const parent = valueAt(root, path.slice(0, -1))
  if (key === undefined || parent === undefined || parent === null || typeof parent !== 'object') return
  if (Array.isArray(parent)) parent.splice(Number(key), 1)
  else delete parent[key]
}
