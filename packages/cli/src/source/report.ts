// Findings as a compiler prints them: place, code and message, the line itself, a mark under what is wrong.
import { type ProblemError, problemErrorSchema } from '@stepfleet/contracts'
import { count, line as cutLine, type Paint, type Piece, plain, widthOf } from '../view/text.ts'
import { locate } from './locate.ts'
import type { Finding, Source } from './source.ts'

export interface ReportOptions {
  /** Cells of a line. */
  width: number
  color: boolean
}

const PAINTS: Record<Finding['severity'], Paint> = { error: 'red', warning: 'yellow' }

/** Errors and warnings of a definition with their places, in the order of the file. */
export const place = (source: Source, errors: readonly ProblemError[], warnings: readonly ProblemError[]): Finding[] =>
  [
    ...errors.map((error): Finding => ({ severity: 'error', ...error, place: locate(source, error) })),
    ...warnings.map((error): Finding => ({ severity: 'warning', ...error, place: locate(source, error) })),
  ].toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)

/** `steps.b` for a name; what is a sentence already stays one. */
const hint = (suggestion: string): string =>
  suggestion.includes(' ') && !suggestion.includes('${{') && !/^\w+: \S+$/.test(suggestion)
    ? suggestion
    : `did you mean \`${suggestion}\`?`

/** The line with the mark in sight, and the cells before the mark: a long line (JSON on one line) is cut on both sides. */
const excerpt = (text: string, column: number, width: number): { shown: string; before: number } => {
  const from = column - 1
  const start = from > width * 0.6 ? from - Math.floor(width * 0.3) : 0
  const shown = plain(`${start > 0 ? '…' : ''}${text.slice(start)}`)
  return { shown, before: widthOf(plain(text.slice(start, from))) + (start > 0 ? 1 : 0) }
}

const excerptLines = (finding: Finding, source: Source): { number: string; text: string } => {
  const { line } = finding.place
  return { number: String(line), text: source.text.split(/\r?\n/)[line - 1] ?? '' }
}

/** One finding as lines of text. */
export const renderFinding = (finding: Finding, source: Source, options: ReportOptions): string[] => {
  const { severity, code, message, suggestion, place: at } = finding
  const paint = PAINTS[severity]
  const { number, text } = excerptLines(finding, source)
  const gutter = ' '.repeat(number.length + 2)
  const { shown, before } = excerpt(text, at.column, options.width - gutter.length - 3)
  const mark = '^'.repeat(Math.max(1, widthOf(plain(text.slice(at.column - 1, at.column - 1 + at.length)))))
  const lines: Piece[][] = [
    [{ text: ` ${number} │ `, paint: 'dim' }, { text: shown }],
    [
      { text: `${gutter}│ `, paint: 'dim' },
      { text: `${' '.repeat(before)}${mark}`, paint },
    ],
  ]
  if (suggestion !== undefined)
    lines.push([
      { text: `${gutter}│ `, paint: 'dim' },
      { text: plain(hint(suggestion)), paint: 'cyan' },
    ])
  // the headline is never cut: its place is what an editor or a log looks for
  const headline: Piece[] = [
    { text: `${plain(source.file)}:${at.line}:${at.column}: `, paint: 'bold' },
    { text: `${severity} ${code}`, paint },
    { text: `: ${plain(message)}` },
  ]
  return [
    cutLine(headline, Number.POSITIVE_INFINITY, options.color),
    ...lines.map((pieces) => cutLine(pieces, options.width, options.color)),
  ]
}

/** `2 errors, 1 warning`. */
export const totals = (findings: readonly Finding[]): string => {
  const told = (severity: Finding['severity']): string[] => {
    const found = findings.filter((finding) => finding.severity === severity).length
    return found === 0 ? [] : [`${count(found)} ${severity}${found === 1 ? '' : 's'}`]
  }
  return [...told('error'), ...told('warning')].join(', ')
}

/** A finding as `--json` tells it. */
export const findingJson = (finding: Finding): ProblemError & { line: number; column: number; length: number } => ({
  ...problemErrorSchema.parse(finding),
  ...finding.place,
})
