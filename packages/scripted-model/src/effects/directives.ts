// The directives of the effect server: in the query (`?scripted=fail=503 times=2`), in a bracket of the body, or by rule.
import {
  bracketsIn,
  DirectiveError,
  failure,
  flag,
  oneOf,
  oneOfOr,
  type ReadBracket,
  readBracket,
  text,
  whole,
} from '../answering/bracket.ts'

/** name → what its value is, how it is read, and what it does. `say` and `message` take the rest of their bracket. */
export const EFFECT_DIRECTIVES = {
  status: {
    takes: 'STATUS',
    read: (value: string) => (/^[23]\d\d$/.test(value) ? Number(value) : null),
    does: 'the status of the answer, 2xx; with redirect 3xx',
  },
  say: { takes: 'TEXT', read: text, does: 'the body of the answer is exactly this (rest of the bracket)' },
  latency: { takes: 'MS', read: whole, does: 'milliseconds before the headers; the effect has happened by then' },
  idempotent: {
    takes: '',
    read: flag,
    does: 'a repeat of an idempotency key gets the first answer again and has no effect; with another body 422, while the first is under way 409',
  },
  fail: { takes: 'STATUS', read: failure, does: 'HTTP error of this status; no effect' },
  'retry-after': { takes: 'SECONDS', read: whole, does: 'with fail: seconds in the header retry-after' },
  message: { takes: 'TEXT', read: text, does: 'with fail: the message in the body (rest of the bracket)' },
  applied: { takes: '', read: flag, does: 'with fail or redirect: the effect happens all the same' },
  redirect: { takes: 'URL', read: text, does: 'a redirect to this address, 307 unless status says another; no effect' },
  drop: {
    takes: 'before|after',
    read: oneOf('before', 'after'),
    does: 'the connection is torn down without an answer: before the effect, or after it (then the ledger has the call as answered)',
  },
  cut: {
    takes: 'stream|reset',
    read: oneOf('stream', 'reset'),
    does: 'half an answer: ends politely, or is torn down',
  },
  hang: {
    takes: 'headers|stream',
    read: oneOfOr('headers', 'stream'),
    does: 'silence for ever: before the headers, or after half an answer',
  },
  bytes: { takes: 'N', read: whole, does: 'the answer has this many bytes' },
  trickle: { takes: 'MS', read: whole, does: 'one byte of the answer each so many milliseconds' },
  malformed: { takes: '', read: flag, does: 'the answer says that it is JSON, and is none' },
  times: { takes: 'N', read: whole, does: 'this bracket counts this many times per key, then no more' },
} as const

export type EffectDirective = ReadBracket<typeof EFFECT_DIRECTIVES>

const check = (directive: EffectDirective): EffectDirective => {
  const { fail, redirect, status = 200 } = directive
  const refusing = fail !== undefined || redirect !== undefined
  if (directive.applied && !refusing) throw new DirectiveError('scripted: `applied` goes with `fail` or `redirect`')
  if (fail === undefined && (directive['retry-after'] !== undefined || directive.message !== undefined))
    throw new DirectiveError('scripted: `retry-after` and `message` go with `fail`')
  if (status >= 300 !== (redirect !== undefined && directive.status !== undefined))
    throw new DirectiveError('scripted: a `status` of 3xx goes with `redirect`, one of 2xx without it')
  return directive
}

/** What stands between the brackets; throws DirectiveError. */
export const readEffectDirective = (source: string): EffectDirective => check(readBracket(EFFECT_DIRECTIVES, source))

export const readEffectDirectives = (source: string): EffectDirective[] => bracketsIn(source).map(readEffectDirective)

const HARMLESS: ReadonlySet<string> = new Set(['status', 'say', 'latency', 'bytes', 'idempotent', 'times', 'text'])

/** Whether a bracket says more than how a whole answer looks. */
export const isFault = (directive: EffectDirective): boolean =>
  Object.keys(directive).some((name) => !HARMLESS.has(name))
