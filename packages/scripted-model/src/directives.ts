// The directives: `[[scripted: name=value …]]` inside a prompt steers the scripted model. One line of the table each.

import { isObject, type JsonObject } from './json.ts'
import { STOP_REASONS, type StopReason } from './protocol.ts'

type Read<T> = (value: string) => T | null

const whole: Read<number> = (value) => (/^\d+$/.test(value) ? Number(value) : null)
const status: Read<number> = (value) => (/^[45]\d\d$/.test(value) ? Number(value) : null)
const flag: Read<true> = (value) => (value === '' ? true : null)
const text: Read<string> = (value) => (value === '' ? null : value)
const oneOf =
  <T extends string>(...allowed: readonly T[]): Read<T> =>
  (value) =>
    allowed.find((one) => one === value) ?? null
const object: Read<JsonObject> = (value) => {
  try {
    const parsed = JSON.parse(value)
    return isObject(parsed) ? parsed : null
  } catch {
    return null
  }
}

/** name → how its value is read, and what it does. `say` and `args` take the rest of their directive. */
export const DIRECTIVES = {
  turns: { read: whole, does: 'this many turns ask for tools, then comes the answer: turns=46 makes 47 model calls' },
  tool: { read: text, does: 'the tool those turns ask for' },
  parallel: { read: whole, does: 'tool uses in each of those turns' },
  args: { read: object, does: 'JSON object: the arguments of each tool use (rest of the directive)' },
  say: { read: text, does: 'the answer is exactly this text (rest of the directive)' },
  latency: { read: whole, does: 'milliseconds before the first byte of the answer' },
  'chunk-ms': { read: whole, does: 'milliseconds between two chunks of the stream' },
  fail: { read: status, does: 'HTTP error of this status, in the error shape of the API' },
  in: { read: oneOf('stream'), does: 'with fail=529: the error comes as an event inside a 200 stream' },
  'retry-after': { read: whole, does: 'with fail: seconds in the retry-after header' },
  message: { read: text, does: 'with fail: the message of the error (rest of the directive)' },
  cut: {
    read: oneOf('stream', 'reset', 'headers'),
    does: 'stream: ends without its end; reset: torn down in the middle; headers: torn down before them',
  },
  stop: {
    read: oneOf<StopReason>(...STOP_REASONS),
    does: 'this stop_reason; max_tokens also cuts the answer, a tool call in the middle of its arguments',
  },
  refusal: { read: flag, does: 'stop_reason refusal' },
  malformed: {
    read: (value: string) => (value === '' ? 'json' : oneOf('json', 'schema')(value)),
    does: 'json: the answer or the tool arguments are no JSON; schema: JSON that does not fit the schema',
  },
  hang: {
    read: (value: string) => (value === '' ? 'headers' : oneOf('headers', 'stream')(value)),
    does: 'silence for ever: before the headers, or in the middle of the stream',
  },
  times: { read: whole, does: 'the fault of this directive happens this many times per effect key, then no more' },
  turn: { read: whole, does: 'this directive applies to this turn only' },
} as const

type Table = typeof DIRECTIVES
export type DirectiveName = keyof Table
/** One `[[scripted: …]]`, read. */
export type Directive = { [K in DirectiveName]?: NonNullable<ReturnType<Table[K]['read']>> } & { text: string }

const REST: ReadonlySet<string> = new Set(['say', 'args', 'message'])
const PATTERN = /\[\[scripted:\s*([\s\S]*?)\]\]/g
const isName = (name: string): name is DirectiveName => Object.hasOwn(DIRECTIVES, name)

export class DirectiveError extends Error {}

/** `a=1 b say=all the rest` as pairs. */
const pairsOf = (source: string): [string, string][] => {
  const pairs: [string, string][] = []
  let rest = source.trim()
  while (rest !== '') {
    const match = /^([a-z-]+)(=?)/.exec(rest)
    if (!match) throw new DirectiveError(`scripted: cannot read \`${rest.slice(0, 40)}\``)
    const [head, name = '', sign] = match
    rest = rest.slice(head.length)
    const value = sign === '' ? '' : REST.has(name) ? rest : (/^\S*/.exec(rest)?.[0] ?? '')
    pairs.push([name, value.trim()])
    rest = rest.slice(value.length).trim()
  }
  return pairs
}

const readOne = (source: string): Directive => {
  const directive: Record<string, unknown> & { text: string } = { text: source.trim() }
  for (const [name, value] of pairsOf(source)) {
    if (!isName(name))
      throw new DirectiveError(`scripted: unknown directive \`${name}\`; known: ${Object.keys(DIRECTIVES).join(', ')}`)
    const read = DIRECTIVES[name].read(value)
    if (read === null) throw new DirectiveError(`scripted: \`${name}\` does not take \`${value}\``)
    directive[name] = read
  }
  return directive
}

/** The directives of a text, in order; throws DirectiveError for one that cannot be read. */
export const readDirectives = (source: string): Directive[] =>
  [...source.matchAll(PATTERN)].map(([, body = '']) => readOne(body))

export const withoutDirectives = (source: string): string =>
  source
    .replace(PATTERN, ' ')
    .replace(/[ \t]{2,}/g, ' ')
    .trim()
