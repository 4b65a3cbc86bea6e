// Secrets: markers in a tool's input become values here, in the worker, and nowhere else.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json } from '@stepfleet/contracts'
import { redact, redactValues } from '@stepfleet/runtime'

const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
/** The runtime blots out nothing shorter: it would blot out ordinary words. So nothing shorter is used either. */
export const SHORTEST_SECRET = 6

/** `name` is not known to this worker, or cannot be used. */
export class SecretMissing extends Error {
  readonly secret: string

  constructor(secret: string, why: string) {
    super(`secret ${secret}: ${why}`)
    this.name = 'SecretMissing'
    this.secret = secret
  }
}

/** A `$secret` or `$concat` that is not of the form the engine writes. */
export class MalformedMarker extends Error {}

export interface Secrets {
  /**
   * The value with every marker replaced: `{"$secret": "X"}`, `{"$concat": ["Bearer ", {"$secret": "X"}]}`. Text is
   * never scanned, so a text that says `${{ secrets.X }}` stays what it is, whoever wrote it.
   * @throws SecretMissing, MalformedMarker
   */
  resolve(value: Json): Promise<Json>
  /** Values by name. @throws SecretMissing */
  named(names: readonly string[]): Promise<Record<string, string>>
}

export interface SecretSources {
  /** From the environment, by name. */
  values: ReadonlyMap<string, string>
  /** Folder of mounted files, one per secret, named like it; read at each use, since mounts are rotated. */
  dir: string | null
}

/** The forms a value takes on its way out: as it is, in a URL's path and query, and base64 (basic auth). */
const formsOf = (value: string): string[] => {
  const url = new URL('http://form/')
  url.pathname = `/${value}`
  url.search = `?${value}`
  return [
    value,
    url.pathname.slice(1),
    url.search.slice(1),
    encodeURIComponent(value),
    new URLSearchParams([['', value]]).toString().slice(1),
    Buffer.from(value).toString('base64'),
  ]
}

const readMounted = async (dir: string, name: string): Promise<string | null> => {
  try {
    // editors and `kubectl create secret` of a heredoc end the file with a newline that is not meant
    return (await readFile(join(dir, name), 'utf8')).replace(/\r?\n$/, '')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw new SecretMissing(name, 'its file cannot be read')
  }
}

const isRecord = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The marker's argument when `value` has exactly one key, `key`. */
const marker = (value: Json, key: '$secret' | '$concat'): Json | undefined =>
  isRecord(value) && Object.hasOwn(value, key) && Object.keys(value).length === 1 ? value[key] : undefined

export const createSecrets = (sources: SecretSources): Secrets => {
  const known = new Set<string>()

  const get = async (name: string): Promise<string> => {
    if (!SECRET_NAME.test(name)) throw new SecretMissing(name.slice(0, 128), 'not a secret name')
    const value = sources.values.get(name) ?? (sources.dir === null ? null : await readMounted(sources.dir, name))
    if (value === null) throw new SecretMissing(name, 'this worker has no value for it')
    if (value.length < SHORTEST_SECRET) throw new SecretMissing(name, `shorter than ${SHORTEST_SECRET} characters`)
    // before the value leaves this function: from here on it is blotted out wherever it turns up
    if (!known.has(value)) redactValues(formsOf(value))
    known.add(value)
    return value
  }

  const part = async (value: Json): Promise<string> => {
    if (typeof value === 'string') return value
    const name = marker(value, '$secret')
    if (typeof name !== 'string') throw new MalformedMarker('$concat holds strings and {"$secret": name} only')
    return get(name)
  }

  const resolve = async (value: Json): Promise<Json> => {
    if (Array.isArray(value)) return Promise.all(value.map(resolve))
    if (!isRecord(value)) return value
    const name = marker(value, '$secret')
    if (typeof name === 'string') return get(name)
    const parts = marker(value, '$concat')
    if (Array.isArray(parts)) return (await Promise.all(parts.map(part))).join('')
    if (name !== undefined || parts !== undefined) throw new MalformedMarker('$secret takes a name, $concat a list')
    // fromEntries defines own properties, so a `__proto__` key stays data
    const entries = Object.entries(value).map(async ([key, inner]) => [key, await resolve(inner)] as const)
    return Object.fromEntries(await Promise.all(entries))
  }

  return {
    resolve,
    named: async (names) =>
      Object.fromEntries(await Promise.all(names.map(async (name) => [name, await get(name)] as const))),
  }
}

/** A JSON value with every known secret value blotted out: in strings, in keys, and in numbers that spell one. */
export const redactJson = (value: Json): Json => {
  if (typeof value === 'string') return redact(value)
  if (typeof value === 'number') {
    const text = String(value)
    return redact(text) === text ? value : redact(text)
  }
  if (Array.isArray(value)) return value.map(redactJson)
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [redact(key), redactJson(inner)]))
}
