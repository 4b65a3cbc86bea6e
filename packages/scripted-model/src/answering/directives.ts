// The directives: `[[scripted: name=value …]]` inside a prompt steers the scripted model. One line of the table each.
import {
  bracketsIn,
  failure,
  flag,
  object,
  oneOf,
  oneOfOr,
  percent,
  type Read,
  type ReadBracket,
  readBracket,
  text,
  whole,
} from './bracket.ts'
import { ERROR_KINDS, type ErrorKind, STOP_REASONS, type StopReason } from './script.ts'

const malformation: Read<'json' | 'schema' | 'enum' | 'utf8'> = oneOfOr('json', 'schema', 'enum', 'utf8')

/** name → what its value is, how it is read, and what it does. `say`, `args` and `message` take the rest of their bracket. */
export const DIRECTIVES = {
  turns: {
    takes: 'N',
    read: whole,
    does: 'this many turns ask for tools, then comes the answer: turns=46 makes 47 model calls',
  },
  forever: {
    takes: '',
    read: flag,
    does: 'each turn asks for the same tool with the same arguments; there is never an answer',
  },
  tool: { takes: 'NAME', read: text, does: 'the tool those turns ask for' },
  parallel: { takes: 'N', read: whole, does: 'tool calls in each of those turns' },
  args: { takes: 'JSON', read: object, does: 'JSON object: the arguments of each tool call (rest of the bracket)' },
  say: { takes: 'TEXT', read: text, does: 'the answer is exactly this text (rest of the bracket)' },
  latency: { takes: 'MS', read: whole, does: 'milliseconds before the headers of the answer' },
  'first-token': { takes: 'MS', read: whole, does: 'milliseconds between the headers and the first chunk' },
  'chunk-ms': { takes: 'MS', read: whole, does: 'milliseconds between two chunks of the stream' },
  trickle: { takes: 'MS', read: whole, does: 'one byte each so many milliseconds' },
  fail: { takes: 'STATUS', read: failure, does: 'HTTP error of this status, in the error shape of the API' },
  error: { takes: 'KIND', read: oneOf<ErrorKind>(...ERROR_KINDS), does: 'an error by its kind, as this API words it' },
  in: { takes: 'stream', read: oneOf('stream'), does: 'with fail or error: it comes as an event inside a 200 stream' },
  'retry-after': { takes: 'SECONDS', read: whole, does: 'with fail or error: seconds until another try' },
  message: { takes: 'TEXT', read: text, does: 'with fail: the message of the error (rest of the bracket)' },
  cut: {
    takes: 'stream|reset|headers',
    read: oneOf('stream', 'reset', 'headers'),
    does: 'stream: ends without its end; reset: torn down in the middle; headers: torn down before them',
  },
  drop: {
    takes: '',
    read: flag,
    does: 'the ledger has the call as answered, but the connection is torn down before the first byte',
  },
  hang: {
    takes: 'headers|stream',
    read: oneOfOr('headers', 'stream'),
    does: 'silence for ever: before the headers, or in the middle of the stream',
  },
  at: {
    takes: 'PERCENT',
    read: percent,
    does: 'with cut, hang or in=stream: percent of the answer that go out before; 0: the headers only',
  },
  stop: {
    takes: 'REASON',
    read: oneOf<StopReason>(...STOP_REASONS),
    does: 'the answer ends for this reason; max_tokens also cuts it, a tool call in the middle of its arguments',
  },
  refusal: { takes: '', read: flag, does: 'the model refuses' },
  empty: { takes: '', read: flag, does: 'an answer with nothing in it' },
  malformed: {
    takes: 'json|schema|enum|utf8',
    read: malformation,
    does: 'json: the answer or the tool arguments are no JSON; schema: JSON that does not fit the schema; enum: a value outside each enum; utf8: a torn character',
  },
  bytes: { takes: 'N', read: whole, does: 'the tool arguments, or the answer, have this many bytes' },
  times: {
    takes: 'N',
    read: whole,
    does: 'the fault of this bracket happens this many times per effect key, then no more',
  },
  turn: { takes: 'N', read: whole, does: 'this bracket applies to this turn only' },
} as const

export type DirectiveName = keyof typeof DIRECTIVES
/** One `[[scripted: …]]`, read. */
export type Directive = ReadBracket<typeof DIRECTIVES>

/** What stands between the brackets; throws DirectiveError for what cannot be read. */
export const readDirective = (source: string): Directive => readBracket(DIRECTIVES, source)

/** The directives of a text, in order; throws DirectiveError for one that cannot be read. */
export const readDirectives = (source: string): Directive[] => bracketsIn(source).map(readDirective)
