// Text for a terminal: safe, cut to width, coloured when wanted; times, tokens and money as people read them.
import { stripVTControlCharacters } from 'node:util'

export type Paint = 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'bold'
const CODES: Record<Paint, string> = {
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  cyan: '36',
  bold: '1',
}

/** A piece of a line; the whole line is cut to width before any colour is put in. */
export interface Piece {
  text: string
  paint?: Paint
}

/** Text from outside on one line: escape sequences and control characters could rewrite the screen. */
export const safe = (text: string): string =>
  stripVTControlCharacters(text)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ')
    .trim()

/** As `safe`, but each control character becomes one blank: columns stay where they are. */
export const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g, ' ')

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const NONE = /\p{Mark}/u
const cells = (char: string): number => (NONE.test(char) ? 0 : WIDE.test(char) ? 2 : 1)
export const widthOf = (text: string): number => [...text].reduce((sum, char) => sum + cells(char), 0)

/** At most `width` cells, with `…` where something was cut. */
export const cut = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  let kept = ''
  let used = 0
  for (const char of text) {
    used += cells(char)
    if (used > width - 1) break
    kept += char
  }
  return width > 0 ? `${kept}…` : ''
}

export const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)))

/** One line of pieces, at most `width` cells. */
export const line = (pieces: Piece[], width: number, color: boolean): string => {
  let left = width
  let out = ''
  for (const piece of pieces) {
    const text = cut(piece.text, left)
    left -= widthOf(text)
    out += color && piece.paint && text !== '' ? `\u001b[${CODES[piece.paint]}m${text}\u001b[0m` : text
    if (left <= 0) break
  }
  return out
}

export const duration = (ms: number): string => {
  if (ms < 0) return '0.0s'
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`
  const hours = Math.floor(seconds / 3_600)
  return hours < 48
    ? `${hours}h${String(Math.floor((seconds % 3_600) / 60)).padStart(2, '0')}m`
    : `${Math.floor(hours / 24)}d${hours % 24}h`
}

export const count = (n: number): string => n.toLocaleString('en-US')

/** `$0.0123`: four digits while it is small, two from a dollar on. */
export const money = (microUsd: number): string => {
  const usd = microUsd / 1_000_000
  return `$${usd >= 1 ? usd.toFixed(2) : usd.toFixed(4)}`
}

export const ago = (atMs: number, nowMs: number): string => `${duration(Math.max(0, nowMs - atMs))} ago`

/** Rows under headings, each column as wide as its widest cell, the last one cut. */
export const table = (headings: string[], rows: string[][], width: number): string[] => {
  const all = [headings, ...rows.map((row) => row.map(safe))]
  const widths = headings.map((_, i) => Math.max(...all.map((row) => widthOf(row[i] ?? ''))))
  return all.map((row) =>
    cut(row.map((cell, i) => (i === row.length - 1 ? cell : padEnd(cell, widths[i] ?? 0))).join('  '), width).trimEnd(),
  )
}
