// Where a text stops being JSON. Node's own parser often does not say.

const SPACE = /[ \t\n\r]*/y
const STRING = /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** What may come next: a value, a key, a colon, a comma or the end of what is open; `first` also allows that end. */
type Expected = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'comma'

const matchAt = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/** Offset of the first character that does not belong; the length of the text when it is only cut off. */
export const findSyntaxError = (text: string): number => {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  for (let at = matchAt(SPACE, text, 0); at < text.length; at = matchAt(SPACE, text, at)) {
    const c = text[at]
    const inside = open.at(-1)
    if (expected === 'colon' || (expected === 'comma' && c === ',')) {
      if (c !== (expected === 'colon' ? ':' : ',') || inside === undefined) return at
      expected = expected === 'comma' && inside === '{' ? 'key' : 'value'
      at += 1
    } else if (c === (inside === '{' ? '}' : ']') && (expected === 'comma' || expected.startsWith('first'))) {
      if (open.pop() === undefined) return at
      expected = 'comma'
      at += 1
    } else if (expected === 'comma') {
      return at
    } else if (expected.endsWith('value') && (c === '{' || c === '[')) {
      open.push(c)
      expected = c === '{' ? 'first key' : 'first value'
      at += 1
    } else {
      const isKey = expected.endsWith('key')
      const end = matchAt(c === '"' || isKey ? STRING : OTHER, text, at)
      if (end === at) return at
      expected = isKey ? 'colon' : 'comma'
      at = end
    }
  }
  return text.length
}
