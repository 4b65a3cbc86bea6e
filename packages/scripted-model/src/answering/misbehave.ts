// What the directives make of a well-behaved answer: one that is cut, broken, too big, too slow, or an error.
import { isObject, type Json, type JsonObject } from '../json.ts'
import { DirectiveError } from './bracket.ts'
import type { Directive } from './directives.ts'
import { type Answer, type MessageAnswer, type ScriptedToolUse, type ScriptRequest, TORN_CHARACTER } from './script.ts'

/** The answer as far as it got when the room ran out: text cut in half, or the last tool call cut in its arguments. */
const truncated = (answer: MessageAnswer): MessageAnswer => {
  const uses = answer.toolUses ?? []
  const last = uses.at(-1)
  if (!last) return { ...answer, text: answer.text.slice(0, Math.ceil(answer.text.length / 2)), stop: 'max_tokens' }
  const raw = last.raw ?? JSON.stringify(last.input)
  return {
    ...answer,
    toolUses: [...uses.slice(0, -1), { ...last, raw: raw.slice(0, Math.ceil(raw.length / 2)) }],
    stop: 'max_tokens',
  }
}

/** The value with one outside each enum of its schema; `found` is told of each. */
const outsideEnums = (value: Json, schema: Json | undefined, found: () => void): Json => {
  if (!isObject(schema)) return value
  if (Array.isArray(schema.enum)) {
    found()
    return 'none of these'
  }
  const { properties, items } = schema
  if (isObject(value) && isObject(properties))
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, outsideEnums(each, properties[name], found)]),
    )
  return Array.isArray(value) ? value.map((each) => outsideEnums(each, items, found)) : value
}

const withWrongEnums = (request: ScriptRequest, answer: MessageAnswer): MessageAnswer => {
  let found = false
  const note = (): void => {
    found = true
  }
  const schemaOf = (name: string): JsonObject | undefined => request.tools.find((tool) => tool.name === name)?.schema
  const wrong: MessageAnswer = answer.toolUses
    ? {
        ...answer,
        toolUses: answer.toolUses.map((use) => ({ ...use, input: outsideEnums(use.input, schemaOf(use.name), note) })),
      }
    : request.schema
      ? { ...answer, text: JSON.stringify(outsideEnums(JSON.parse(answer.text), request.schema, note)) }
      : answer
  if (!found) throw new DirectiveError('scripted: `malformed=enum` needs an enum in the schema that is answered')
  return wrong
}

/** The first text of a value with a torn character in it. */
const torn = (value: Json): Json => {
  if (typeof value === 'string') return `${value.slice(0, 4)}${TORN_CHARACTER}${value.slice(4)}`
  if (Array.isArray(value)) return value.map((each, index) => (index === 0 ? torn(each) : each))
  if (!isObject(value)) return value
  const name = Object.keys(value).find((key) => typeof value[key] === 'string') ?? Object.keys(value)[0]
  const inner = name === undefined ? undefined : value[name]
  return name === undefined || inner === undefined ? { torn: TORN_CHARACTER } : { ...value, [name]: torn(inner) }
}

const tornText = (request: ScriptRequest, text: string): string =>
  request.schema ? JSON.stringify(torn(JSON.parse(text))) : String(torn(text))

const changedUses = (answer: MessageAnswer, change: (use: ScriptedToolUse) => ScriptedToolUse): MessageAnswer => ({
  ...answer,
  toolUses: (answer.toolUses ?? []).map(change),
})

const malformed = (
  request: ScriptRequest,
  answer: MessageAnswer,
  how: NonNullable<Directive['malformed']>,
): MessageAnswer => {
  switch (how) {
    case 'json':
      return answer.toolUses
        ? changedUses(answer, (use) => ({ ...use, raw: '{"unfinished": "' }))
        : { ...answer, text: '{"unfinished": "' }
    case 'schema':
      return answer.toolUses
        ? changedUses(answer, (use) => ({ ...use, input: { unexpected: true } }))
        : { ...answer, text: request.schema?.type === 'string' ? '42' : '"unexpected"' }
    case 'enum':
      return withWrongEnums(request, answer)
    case 'utf8':
      return {
        ...(answer.toolUses
          ? changedUses(answer, (use) => ({ ...use, input: torn(use.input) }))
          : { ...answer, text: tornText(request, answer.text) }),
        tornUtf8: true,
      }
  }
}

/** An object whose JSON has this many bytes: its first text is made longer, or one is added. */
const grown = (value: Json, bytes: number): Json => {
  const base: JsonObject = isObject(value) ? value : {}
  const name = Object.keys(base).find((key) => typeof base[key] === 'string') ?? 'padding'
  const start = typeof base[name] === 'string' ? base[name] : ''
  const missing = bytes - Buffer.byteLength(JSON.stringify({ ...base, [name]: start }))
  return missing <= 0 ? base : { ...base, [name]: start + 'x'.repeat(missing) }
}

const sized = (request: ScriptRequest, answer: MessageAnswer, bytes: number): MessageAnswer => {
  if (answer.toolUses) return changedUses(answer, (use) => ({ ...use, input: grown(use.input, bytes) }))
  if (request.schema) return { ...answer, text: JSON.stringify(grown(JSON.parse(answer.text), bytes)) }
  const missing = bytes - Buffer.byteLength(answer.text)
  return { ...answer, text: missing < 0 ? 'x'.repeat(bytes) : answer.text + 'x'.repeat(missing) }
}

/** What the answer says, and how it ends. */
const content = (request: ScriptRequest, answer: MessageAnswer, directive: Directive): MessageAnswer => {
  if (directive.empty) return { ...answer, text: '', toolUses: [], stop: 'end_turn' }
  if (directive.refusal) return { type: 'message', text: 'I cannot', stop: 'refusal' }
  let changed = answer
  if (directive.bytes !== undefined) changed = sized(request, changed, directive.bytes)
  if (directive.malformed !== undefined) changed = malformed(request, changed, directive.malformed)
  if (directive.stop === 'max_tokens') changed = truncated(changed)
  else if (directive.stop !== undefined) changed = { ...changed, stop: directive.stop }
  return changed
}

const share = ({ at }: Directive): Pick<MessageAnswer, 'share'> => (at === undefined ? {} : { share: at / 100 })

/** How the answer travels. */
const transport = (answer: MessageAnswer, directive: Directive): Answer => {
  if (directive.drop) return { ...answer, fault: 'drop' }
  if (directive.cut === 'headers') return { type: 'reset' }
  if (directive.hang === 'headers') return { type: 'silence' }
  if (directive.cut !== undefined)
    return { ...answer, ...share(directive), fault: directive.cut === 'reset' ? 'reset' : 'end' }
  if (directive.hang !== undefined) return { ...answer, ...share(directive), fault: 'silence' }
  if (directive.trickle !== undefined) return { ...answer, trickleMs: directive.trickle }
  if (directive['first-token'] !== undefined) return { ...answer, firstTokenMs: directive['first-token'] }
  return answer
}

const wait = (directive: Directive): { retryAfterSeconds?: number } =>
  directive['retry-after'] === undefined ? {} : { retryAfterSeconds: directive['retry-after'] }

const failed = (answer: MessageAnswer, directive: Directive, status: number): Answer => {
  const error = { status, message: directive.message ?? `scripted failure ${status}`, ...wait(directive) }
  if (directive.in !== 'stream') return { type: 'error', ...error }
  // 529 is how one provider says that it has too much to do; inside a stream each says it in its own way
  return { ...answer, ...share(directive), fault: status === 529 ? 'overloaded' : error }
}

/** The fault of one directive, or null when it has none. Throws DirectiveError. */
export const faulty = (request: ScriptRequest, answer: MessageAnswer, directive: Directive): Answer | null => {
  if (directive.fail !== undefined) return failed(answer, directive, directive.fail)
  if (directive.error !== undefined)
    return directive.in === 'stream'
      ? { ...answer, ...share(directive), fault: { kind: directive.error, ...wait(directive) } }
      : { type: 'known_error', kind: directive.error, ...wait(directive) }
  const changed = transport(content(request, answer, directive), directive)
  return changed === answer ? null : changed
}

/** Directives that change another one mean nothing alone: a typo must not look like a fault that does not happen. */
export const checkTogether = (directive: Directive): void => {
  const { fail, error, cut, hang, at } = directive
  const failing = fail !== undefined || error !== undefined
  const alone: [boolean, string][] = [
    [directive.in !== undefined && !failing, '`in=stream` goes with `fail` or `error`'],
    [directive['retry-after'] !== undefined && !failing, '`retry-after` goes with `fail` or `error`'],
    [directive.message !== undefined && fail === undefined, '`message` goes with `fail`'],
    [
      at !== undefined && directive.in === undefined && hang !== 'stream' && cut !== 'stream' && cut !== 'reset',
      '`at` goes with `cut=stream`, `cut=reset`, `hang=stream` or `in=stream`',
    ],
  ]
  const wrong = alone.find(([isWrong]) => isWrong)
  if (wrong) throw new DirectiveError(`scripted: ${wrong[1]}`)
}
