// From the dotted place of an error (`steps.report.llm.model`) to the very key or value in the file.
import type { ProblemError } from '@stepfleet/contracts'
import { type Document, isAlias, isCollection, isMap, isNode, isScalar, isSeq, type Node, type Scalar } from 'yaml'
import { type Place, placeAt, type Source } from './source.ts'

/** The deepest part of a place that the file has; `left` is what it has not. */
interface Hit {
  key: Node | null
  value: Node | null
  left: string
}

/** Errors that are about the key, whatever its value is. */
const ABOUT_KEYS: ReadonlySet<string> = new Set([
  'unknown_field',
  'several_kinds',
  'no_kind',
  'misplaced_modifier',
  'not_supported_yet',
  'gate_required',
])

const nodeOf = (value: unknown, document: Document.Parsed): Node | null => {
  if (isAlias(value)) return value.resolve(document) ?? null
  return isNode(value) ? value : null
}

/** What of a place is left behind a key, or null when it does not begin with it. */
const behind = (place: string, key: string): string | null => {
  if (place === key) return ''
  return place.startsWith(`${key}.`) ? place.slice(key.length + 1) : null
}

const membersOf = (node: Node | null): { name: string; key: Node | null; value: unknown }[] => {
  if (isMap(node))
    return node.items.map(({ key, value }) => ({
      ...{ name: isScalar(key) ? String(key.value) : '', value },
      key: isNode(key) ? key : null,
    }))
  return isSeq(node) ? node.items.map((value, at) => ({ name: String(at), key: null, value })) : []
}

// keys may hold dots (labels, fields of `with`), so a place can be read in several ways: the one that goes deepest counts
const deepest = (hit: Hit, document: Document.Parsed): Hit => {
  let best = hit
  if (hit.left === '') return best
  for (const { name, key, value } of membersOf(hit.value)) {
    const left = behind(hit.left, name)
    if (left === null) continue
    const inner = deepest({ key, value: nodeOf(value, document), left }, document)
    if (inner.left.length < best.left.length) best = inner
  }
  return best
}

/** Where the text of a string begins: a block's is on the line below its `|`. */
const textStart = (source: Source, node: Scalar): number => {
  const [from, to] = node.range ?? [0, 0]
  if (node.type !== 'BLOCK_LITERAL' && node.type !== 'BLOCK_FOLDED') return from
  const header = source.text.indexOf('\n', from)
  const first = /\S/.exec(source.text.slice(header, to))
  return header < 0 || header > to || !first ? from : header + first.index
}

/** What a message quotes, the most telling first: `steps.draft`, then the single words. */
const quotesOf = ({ code, message }: ProblemError): { text: string; shown: string }[] => {
  const words = [...message.matchAll(/`([^`…]+)`/g)].map(([, text = '']) => text)
  const [first, second] = words
  const found: { text: string; shown: string }[] = []
  if (code === 'unknown_step' && first) found.push({ text: `steps.${first}`, shown: first })
  if (first && second) found.push({ text: `${first}.${second}`, shown: second })
  const called = /\b(\w+)\(\)/.exec(message)?.[1]
  return [...found, ...[...words, ...(called ? [called] : [])].map((text) => ({ text, shown: text }))]
}

/** Where whole words stand in a text: `a` is in `b.a`, not in `ba`. */
const occurrences = (text: string, wanted: string): number[] => {
  const found: number[] = []
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const before = text[at - 1] ?? ''
    const after = text[at + wanted.length] ?? ''
    const starts = !/\w/.test(wanted[0] ?? '') || !/\w/.test(before)
    if (starts && (!/\w/.test(wanted.at(-1) ?? '') || !/\w/.test(after))) found.push(at)
  }
  return found
}

/** What the message quotes, where a string has it: a path at its first place, a single word only where it is alone. */
const quoted = (source: Source, error: ProblemError, from: number, to: number): Place | null => {
  const text = source.text.slice(from, to)
  for (const { text: wanted, shown } of quotesOf(error)) {
    const found = occurrences(text, wanted)
    const [at] = found
    if (at === undefined || (found.length > 1 && wanted === shown)) continue
    const start = from + at + wanted.length - shown.length
    return placeAt(source, start, start + shown.length)
  }
  return null
}

const rangeOf = (node: Node | null): [number, number] | null => (node?.range ? [node.range[0], node.range[1]] : null)

const SYNTAX_PLACE = /^line (\d+), column (\d+)$/

/** The place of an error in the file; of a missing field, that of what should hold it. Line 1 when there is none. */
export const locate = (source: Source, error: ProblemError): Place => {
  const [, line, column] = SYNTAX_PLACE.exec(error.path) ?? []
  if (line && column) return { line: Number(line), column: Number(column), length: 1 }
  const { key, value, left } = deepest(
    { key: null, value: source.document.contents, left: error.path },
    source.document,
  )
  const own = rangeOf(value)
  const keyRange = rangeOf(key)
  const hasText = isScalar(value) && own !== null && own[1] > own[0]
  if (left === '' && hasText && !ABOUT_KEYS.has(error.code)) {
    const start = textStart(source, value)
    return quoted(source, error, start, own[1]) ?? placeAt(source, start, own[1])
  }
  if (keyRange) return placeAt(source, ...keyRange)
  // an item of a list, or the whole definition: its first key
  const [first] = membersOf(value)
  const range = (isCollection(value) && rangeOf(first?.key ?? null)) || own || [0, 0]
  return placeAt(source, range[0], range[1])
}
