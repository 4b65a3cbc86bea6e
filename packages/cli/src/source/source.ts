// A definition file as it was written: its text, its value, what is wrong with its syntax, and where everything stands.
import type { Json, ProblemError } from '@stepfleet/contracts'
import { type Document, isScalar, LineCounter, parseDocument, visit, type YAMLError } from 'yaml'

/** Lines and columns from 1; `length` in characters, within the line. */
export interface Place {
  line: number
  column: number
  length: number
}

/** What is wrong, and where it stands in the file. */
export interface Finding extends ProblemError {
  severity: 'error' | 'warning'
  place: Place
}

export interface Source {
  /** As the user named it. */
  file: string
  text: string
  document: Document.Parsed
  lines: LineCounter
  /** Every syntax error. When there is one, `value` says nothing. */
  problems: Finding[]
  value: Json
}

/** The place of a stretch of text, cut at the end of its first line. */
export const placeAt = (source: Pick<Source, 'text' | 'lines'>, from: number, to: number): Place => {
  const { line, col } = source.lines.linePos(from)
  const end = source.text.indexOf('\n', from)
  const until = Math.min(to, end < 0 ? source.text.length : end)
  return { line: Math.max(1, line), column: Math.max(1, col), length: Math.max(1, until - from) }
}

const syntaxMessage = (error: YAMLError): string =>
  error.code === 'DUPLICATE_KEY' ? 'the key is there twice' : error.message

/** Whole numbers that JavaScript would change without a word. */
const lostDigits = (document: Document.Parsed): [number, number][] => {
  const found: [number, number][] = []
  visit(document, {
    Scalar: (_, { value, range }) => {
      if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) && range)
        found.push([range[0], range[1]])
    },
  })
  return found
}

const plainValue = (document: Document.Parsed): { value: Json } | { why: string } => {
  try {
    const value: Json | undefined = document.toJS({ maxAliasCount: 100 })
    return { value: value ?? null }
  } catch (error) {
    return { why: error instanceof Error ? error.message : 'not YAML' }
  }
}

/** Reads YAML, or JSON, which is YAML too; one document with text keys, as the API takes it. */
export const readSource = (file: string, text: string): Source => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, stringKeys: true, prettyErrors: false })
  const at = { text, lines }
  const finding = (message: string, from: number, to: number): Finding => ({
    ...{ severity: 'error', path: '', code: 'syntax', message },
    place: placeAt(at, from, to),
  })
  const problems = [...document.errors, ...document.warnings].map((one) =>
    finding(syntaxMessage(one), one.pos[0], one.pos[1]),
  )
  for (const [from, to] of lostDigits(document))
    problems.push(finding('a whole number over 2^53 loses digits: write it as text', from, to))
  const { contents } = document
  if (problems.length === 0 && (contents === null || (isScalar(contents) && contents.value === null)))
    problems.push(finding('the file holds no definition', 0, 0))
  const read = problems.length > 0 ? { value: null } : plainValue(document)
  if ('why' in read) problems.push(finding(read.why, 0, 0))
  return { file, text, document, lines, problems, value: 'value' in read ? read.value : null }
}
