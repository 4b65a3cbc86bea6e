// Bodies: JSON and YAML as plain JSON values, with bombs and values that would not survive refused at the door.
import type { Json } from '@stepfleet/contracts'
import { CST, isAlias, isMap, isScalar, Lexer, LineCounter, parseDocument, visit } from 'yaml'
import { Rejection } from '../problems.ts'
import { findSyntaxError } from './json-place.ts'

/** Deepest nesting of a body. Every recursive walk behind this door leans on it. */
export const MAX_DEPTH = 100
/** Most values in one body. */
export const MAX_VALUES = 1_000_000
/** Most keys in one body: they are sorted for the fingerprint, and a million took 4 s of the thread that serves everybody. */
export const MAX_KEYS = 200_000
/** YAML is parsed at about a megabyte a second, on the thread that serves everybody. */
export const MAX_YAML_BYTES = 512 * 1024
/** Each level of a YAML block is indented by at least one column. */
const MAX_YAML_INDENT = 256

const invalid = (detail: string, path = ''): Rejection =>
  new Rejection('invalid_json', detail, { errors: [{ path, code: 'invalid_value', message: detail }] })
const tooDeep = () => invalid(`nested deeper than ${MAX_DEPTH} levels`)

/** Refuses depth and value bombs before anything is built from the text. */
const checkShape = (text: string): void => {
  let depth = 0
  let values = 1
  let keys = 0
  let quoted = false
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i)
    if (quoted) {
      if (c === 0x5c) i += 1
      else if (c === 0x22) quoted = false
      continue
    }
    if (c === 0x22) quoted = true
    else if (c === 0x7b || c === 0x5b) {
      depth += 1
      if (depth > MAX_DEPTH) throw tooDeep()
    } else if (c === 0x7d || c === 0x5d) depth -= 1
    else if (c === 0x2c) values += 1
    else if (c === 0x3a) keys += 1
  }
  if (values > MAX_VALUES) throw new Rejection('payload_too_large', `more than ${MAX_VALUES} values`)
  if (keys > MAX_KEYS) throw new Rejection('payload_too_large', `more than ${MAX_KEYS} keys`)
}

const LONE_SURROGATE = /\p{Surrogate}/u

const checkText = (text: string, path: readonly string[]): void => {
  if (LONE_SURROGATE.test(text)) throw invalid('half of a surrogate pair is not text', path.join('.'))
}

/**
 * Refuses what JSON allows but what would be changed or be dangerous on its way: lone surrogates, numbers that
 * lose digits or are infinite, and the key `__proto__`. `count` stops values that aliases have multiplied.
 */
const checkValues = (value: unknown, path: string[], count: { left: number }): void => {
  count.left -= 1
  if (count.left < 0) throw new Rejection('payload_too_large', `more than ${MAX_VALUES} values`)
  if (path.length > MAX_DEPTH) throw tooDeep()
  if (value === null || typeof value === 'boolean') return
  if (typeof value === 'string') {
    checkText(value, path)
    return
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid('not a finite number', path.join('.'))
    if (Number.isInteger(value) && !Number.isSafeInteger(value))
      throw invalid('a whole number over 2^53 loses digits: send it as a string', path.join('.'))
    return
  }
  if (typeof value !== 'object') throw invalid('not a JSON value', path.join('.'))
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype)
    throw invalid('not a JSON value', path.join('.'))
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') throw invalid('the key __proto__ is not allowed', [...path, key].join('.'))
    checkText(key, path)
    path.push(key)
    checkValues(member, path, count)
    path.pop()
  }
}

/** `value` if it is plain JSON; throws `invalid_json` or `payload_too_large` with the place. */
const plain = (value: unknown): Json => {
  checkValues(value, [], { left: MAX_VALUES })
  // the walk above has seen every value in it
  return value as Json
}

const decode = (body: Buffer): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw invalid('the body is not valid UTF-8')
  }
}

const placeOf = (text: string, offset: number): string => {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  return `line ${line}, column ${offset - before.lastIndexOf('\n')}`
}

const syntaxError = (place: string, message: string): Rejection =>
  new Rejection('invalid_json', `${message} (${place})`, { errors: [{ path: place, code: 'syntax', message }] })

/** A JSON body; an empty one is no body. */
export const parseJson = (body: Buffer): Json | undefined => {
  if (body.length === 0) return undefined
  const text = decode(body)
  checkShape(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // the parser's own words, without the place it names in one of several ways, or not at all
    const message = error instanceof Error ? error.message.replace(/(?: in JSON)? at position \d+.*$/s, '') : 'not JSON'
    throw syntaxError(placeOf(text, findSyntaxError(text)), message)
  }
  return plain(value)
}

const FLOW_STARTS = new Set(['flow-seq-start', 'flow-map-start'])
const FLOW_ENDS = new Set(['flow-seq-end', 'flow-map-end'])
const BLOCK_INDICATORS = new Set(['seq-item-ind', 'explicit-key-ind', 'map-value-ind'])

// The parser recurses, and near the end of the stack V8 dies in its regular expression compiler instead of
// throwing (2,000 brackets were enough). The lexer does not recurse, so it measures the depth first: by brackets,
// by indentation, and by the indicators of one line, since `- - - a` is three levels.
const checkYamlDepth = (text: string): void => {
  let flow = 0
  let indicators = 0
  let atStart = true
  for (const lexeme of new Lexer().lex(text)) {
    const type = CST.tokenType(lexeme) ?? ''
    if (type === 'newline') {
      atStart = true
      indicators = 0
      continue
    }
    if (FLOW_STARTS.has(type)) flow += 1
    else if (FLOW_ENDS.has(type)) flow -= 1
    else if (flow === 0 && BLOCK_INDICATORS.has(type)) indicators += 1
    const indented = atStart && type === 'space' && lexeme.length > MAX_YAML_INDENT
    if (flow > MAX_DEPTH || indicators > MAX_DEPTH || indented) throw tooDeep()
    atStart = false
  }
}

/** First key that a map holds twice. The parser's own check is quadratic (30,000 keys took 11 s). */
const duplicateKey = (document: ReturnType<typeof parseDocument>): { key: string; offset: number } | null => {
  let found: { key: string; offset: number } | null = null
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<string>()
      for (const { key } of map.items) {
        const name = isScalar(key) ? String(key.value) : isAlias(key) ? `*${key.source}` : ''
        if (seen.has(name)) {
          const range = isScalar(key) || isAlias(key) || isMap(key) ? key.range : null
          found = { key: name, offset: range?.[0] ?? 0 }
          return visit.BREAK
        }
        seen.add(name)
      }
      return undefined
    },
  })
  return found
}

/** A YAML 1.2 body as plain JSON: one document, string keys, no tags beyond the core ones. */
export const parseYaml = (body: Buffer): Json | undefined => {
  if (body.length === 0) return undefined
  if (body.length > MAX_YAML_BYTES)
    throw new Rejection('payload_too_large', `a YAML body is at most ${MAX_YAML_BYTES} bytes; send larger ones as JSON`)
  const text = decode(body)
  checkYamlDepth(text)
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, stringKeys: true, uniqueKeys: false, prettyErrors: false })
  const wrong = document.errors[0] ?? document.warnings[0]
  const at = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset)
    return `line ${line}, column ${col}`
  }
  if (wrong) throw syntaxError(at(wrong.pos[0]), wrong.message)
  const twice = duplicateKey(document)
  if (twice) throw syntaxError(at(twice.offset), `the key ${JSON.stringify(twice.key)} is there twice`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw syntaxError('line 1, column 1', error instanceof Error ? error.message : 'not YAML')
  }
  return plain(value)
}
