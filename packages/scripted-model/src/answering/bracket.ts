// Reads `[[scripted: name=value …]]` by a table of names: the models' directives and the effects' have one each.
import { isObject, type JsonObject } from '../json.ts'

export type Read<T> = (value: string) => T | null

export interface Row {
  /** The value, for a reader; '': it needs none. */
  takes: string
  read: Read<unknown>
  does: string
}
export type Table = Record<string, Row>
/** One bracket, read; `text` is what stood in it. */
export type ReadBracket<T extends Table> = { [K in keyof T]?: NonNullable<ReturnType<T[K]['read']>> } & { text: string }

export const whole: Read<number> = (value) => (/^\d+$/.test(value) ? Number(value) : null)
export const percent: Read<number> = (value) => (/^\d+$/.test(value) && Number(value) <= 100 ? Number(value) : null)
export const failure: Read<number> = (value) => (/^[45]\d\d$/.test(value) ? Number(value) : null)
export const flag: Read<true> = (value) => (value === '' ? true : null)
export const text: Read<string> = (value) => (value === '' ? null : value)
export const oneOf =
  <T extends string>(...allowed: readonly T[]): Read<T> =>
  (value) =>
    allowed.find((one) => one === value) ?? null
/** As `oneOf`; without a value it is the first. */
export const oneOfOr =
  <T extends string>(...allowed: readonly T[]): Read<T> =>
  (value) =>
    value === '' ? (allowed[0] ?? null) : oneOf(...allowed)(value)
export const object: Read<JsonObject> = (value) => {
  try {
    const parsed = JSON.parse(value)
    return isObject(parsed) ? parsed : null
  } catch {
    return null
  }
}

export class DirectiveError extends Error {}

/** Names whose value is the rest of their bracket. */
const REST: ReadonlySet<string> = new Set(['say', 'args', 'message'])
const PATTERN = /\[\[scripted:\s*([\s\S]*?)\]\]/g

/** `a=1 b say=all the rest` as pairs. */
const pairsOf = (source: string): [string, string][] => {
  const pairs: [string, string][] = []
  let rest = source.trim()
  while (rest !== '') {
    const match = /^([a-z0-9-]+)(=?)/.exec(rest)
    if (!match) throw new DirectiveError(`scripted: cannot read \`${rest.slice(0, 40)}\``)
    const [head, name = '', sign] = match
    rest = rest.slice(head.length)
    const value = sign === '' ? '' : REST.has(name) ? rest : (/^\S*/.exec(rest)?.[0] ?? '')
    pairs.push([name, value.trim()])
    rest = rest.slice(value.length).trim()
  }
  return pairs
}

/** What stands in one bracket; throws DirectiveError. */
export const readBracket = <T extends Table>(table: T, source: string): ReadBracket<T> => {
  const read: Record<string, unknown> = {}
  for (const [name, value] of pairsOf(source)) {
    const row = Object.hasOwn(table, name) ? table[name] : undefined
    if (!row)
      throw new DirectiveError(`scripted: unknown directive \`${name}\`; known: ${Object.keys(table).join(', ')}`)
    const result = row.read(value)
    if (result === null) throw new DirectiveError(`scripted: \`${name}\` does not take \`${value}\``)
    read[name] = result
  }
  // each value was read by the row of its name
  return { ...read, text: source.trim() } as ReadBracket<T>
}

/** What stands in the brackets of a text, in order. */
export const bracketsIn = (source: string): string[] => [...source.matchAll(PATTERN)].map(([, body = '']) => body)

export const withoutDirectives = (source: string): string =>
  source
    .replace(PATTERN, ' ')
    .replace(/[ \t]{2,}/g, ' ')
    .trim()
