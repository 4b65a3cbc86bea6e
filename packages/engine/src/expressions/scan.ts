// Finds the `${{ … }}` parts of a text.

export type TextPart = { kind: 'text'; text: string } | { kind: 'expression'; code: string }
export type Scan = { ok: true; parts: TextPart[] } | { ok: false; message: string }

const OPEN = '${{'

/** The index after the string literal that starts at `at`, or null when it does not end. */
const skipString = (text: string, at: number): number | null => {
  const quote = text.charAt(at)
  const triple = text.startsWith(quote.repeat(3), at)
  const end = triple ? quote.repeat(3) : quote
  let i = at + end.length
  while (i < text.length) {
    if (text.startsWith(end, i)) return i + end.length
    // the parser skips the sign after a backslash in raw strings too
    i += text[i] === '\\' ? 2 : 1
  }
  return null
}

/** The index of the `}}` that closes the expression starting at `start`; braces and strings inside are skipped. */
const findEnd = (text: string, start: number): number | null => {
  let depth = 0
  let i = start
  while (i < text.length) {
    const char = text[i]
    if (char === '"' || char === "'") {
      const after = skipString(text, i)
      if (after === null) return null
      i = after
      continue
    }
    if (char === '{') depth += 1
    else if (char === '}' && depth > 0) depth -= 1
    else if (char === '}' && text[i + 1] === '}') return i
    i += 1
  }
  return null
}

/**
 * The parts of a text in order. A literal `${{` is written `${{ '${{' }}`. `}}` inside a string literal or a
 * map of the expression does not close it.
 */
export const scan = (text: string): Scan => {
  const parts: TextPart[] = []
  let from = 0
  for (let open = text.indexOf(OPEN); open !== -1; open = text.indexOf(OPEN, from)) {
    if (open > from) parts.push({ kind: 'text', text: text.slice(from, open) })
    const end = findEnd(text, open + OPEN.length)
    if (end === null) return { ok: false, message: `\`${clip(text.slice(open))}\` has no closing }}` }
    const code = text.slice(open + OPEN.length, end).trim()
    if (code === '') return { ok: false, message: `an expression is empty: ${OPEN} }}` }
    parts.push({ kind: 'expression', code })
    from = end + 2
  }
  if (from < text.length || parts.length === 0) parts.push({ kind: 'text', text: text.slice(from) })
  return { ok: true, parts }
}

/** True when the text holds `${{`. */
export const holdsExpression = (text: string): boolean => text.includes(OPEN)

/** True when the text is one expression and nothing else, so that it keeps its type. */
export const isOneExpression = (text: string): boolean => {
  if (!text.startsWith(OPEN)) return false
  const found = scan(text)
  return found.ok && found.parts.length === 1
}

/** A text short enough for a message. */
export const clip = (text: string, length = 60): string =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text
