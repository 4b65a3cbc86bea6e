// What the scripted model says: plain text, a value that fits a schema, tool calls and then an answer; and what directives change.
import { type Directive, DirectiveError, readDirectives, withoutDirectives } from './directives.ts'
import { generate } from './generate.ts'
import { type JsonObject, pick, seedOf } from './json.ts'
import type { Answer, MessageAnswer, ScriptedToolUse, ScriptRequest } from './script.ts'

/** Whether a fault with `times` still happens for this effect key; asking counts it. */
export type TakeFault = (effectKey: string, directive: string, times: number | undefined) => boolean

const ASPECTS = ['overview', 'recent results', 'open questions', 'criticism', 'figures', 'examples', 'history']
const OPENINGS = ['In short', 'Briefly', 'To sum up', 'As far as the material goes']
const CLOSINGS = [
  'The main points agree with each other, and nothing in them is surprising.',
  'Two of these points deserve a closer look before anyone relies on them.',
  'None of this is final, but the direction is clear.',
]

/** The words a prompt is about: what follows `about` or `on`, else how it begins. */
const topicOf = (prompt: string): string => {
  const plain = withoutDirectives(prompt)
  const named = /\b(?:question|topic|subject): ?([^\n?!]{3,80})/i.exec(plain)?.[1]
  if (named) return named.trim()
  const clean = plain.replace(/\s+/g, ' ')
  const after = /\b(?:about|on|regarding) ([^.?!:;{[\n]{3,60})/i.exec(clean)?.[1]
  return (after ?? clean.split(' ').slice(0, 8).join(' ')).slice(0, 60).trim() || 'the question'
}

const plainText = (request: ScriptRequest, seed: number): string => {
  const topic = topicOf(request.prompt)
  const known = request.toolResults.length
  const basis =
    known === 0
      ? ''
      : ` This rests on ${known} tool result${known === 1 ? '' : 's'}, the first of which reads: ${excerpt(request.toolResults[0])}.`
  const text =
    `${pick(OPENINGS, seed, '')}, on “${topic}”: there is an established core, a part that is still moving, and a part ` +
    `where sources differ.${basis} ${pick(CLOSINGS, seed, '')}`
  // a model that is given little room keeps it short; `stop=max_tokens` is for one that does not
  return text.slice(0, request.maxTokens * 4)
}

const excerpt = (text = ''): string => `“${text.replace(/\s+/g, ' ').slice(0, 120)}”`

const answerText = (request: ScriptRequest, seed: number): string =>
  request.schema
    ? JSON.stringify(
        generate(request.schema, {
          seed,
          topic: topicOf(request.prompt),
          prose: plainText(request, seed),
          aspects: ASPECTS,
        }),
      )
    : plainText(request, seed)

const toolUsesOf = (request: ScriptRequest, wanted: Wanted, seed: number): ScriptedToolUse[] => {
  const name = request.forcedTool ?? wanted.tool
  const offered = name === undefined ? request.tools : request.tools.filter((tool) => tool.name === name)
  const parallel = wanted.parallel ?? (request.toolTurns === 1 && offered.length > 1 ? 2 : 1)
  return Array.from({ length: Math.max(1, parallel) }, (_, index) => {
    const step = request.toolTurns + index
    // a tool that is not offered is asked for all the same: models do that
    const tool = pick(offered, step, { name: name ?? 'unknown', schema: {} })
    const topic = `${topicOf(request.prompt)}: ${pick(ASPECTS, step, '')}`
    return { name: tool.name, input: wanted.args ?? generate(tool.schema, { seed: seed + step, topic }) }
  })
}

const wantsTools = (request: ScriptRequest, wanted: Wanted, seed: number): boolean => {
  if (request.tools.length === 0 || request.toolChoice === 'none') return false
  if (request.toolChoice !== 'auto') return true
  return request.toolTurns < (wanted.turns ?? turnsTold(request) ?? 2 + (seed % 2))
}

const NUMBERS = [
  'zero',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
]
const MOST_TURNS = 50

/** `look up at least ten aspects` is done as told. */
const turnsTold = ({ system, prompt }: ScriptRequest): number | null => {
  const told = /\bat\s+least\s+(\w+)/i.exec(`${system}\n${withoutDirectives(prompt)}`)?.[1]?.toLowerCase()
  if (told === undefined) return null
  const count = NUMBERS.includes(told) ? NUMBERS.indexOf(told) : Number(told)
  return count >= 1 && count <= MOST_TURNS ? count : null
}

type Wanted = Pick<Directive, 'turns' | 'tool' | 'parallel' | 'args' | 'say' | 'latency' | 'chunk-ms'>

const wellBehaved = (request: ScriptRequest, wanted: Wanted): MessageAnswer => {
  const seed = seedOf(withoutDirectives(request.prompt))
  const pace = {
    ...(wanted.latency === undefined ? {} : { latencyMs: wanted.latency }),
    ...(wanted['chunk-ms'] === undefined ? {} : { chunkMs: wanted['chunk-ms'] }),
  }
  if (wantsTools(request, wanted, seed)) {
    const toolUses = toolUsesOf(request, wanted, seed)
    const names = [...new Set(toolUses.map((use) => use.name))].join(' and ')
    return { ...pace, type: 'message', text: `I will use ${names}.`, toolUses }
  }
  return { ...pace, type: 'message', text: wanted.say ?? answerText(request, seed) }
}

/** The answer as far as it got when the room ran out: text cut in half, or the last tool call cut in its arguments. */
const truncated = (answer: MessageAnswer): MessageAnswer => {
  const uses = answer.toolUses ?? []
  const last = uses.at(-1)
  if (!last) return { ...answer, text: answer.text.slice(0, Math.ceil(answer.text.length / 2)), stop: 'max_tokens' }
  const raw = JSON.stringify(last.input)
  return {
    ...answer,
    toolUses: [...uses.slice(0, -1), { ...last, raw: raw.slice(0, Math.ceil(raw.length / 2)) }],
    stop: 'max_tokens',
  }
}

const malformed = (request: ScriptRequest, answer: MessageAnswer, how: 'json' | 'schema'): MessageAnswer => {
  if (answer.toolUses)
    return {
      ...answer,
      toolUses: answer.toolUses.map((use) =>
        how === 'json' ? { ...use, raw: '{"unfinished": "' } : { ...use, input: { unexpected: true } },
      ),
    }
  const misfit = request.schema?.type === 'string' ? '42' : '"unexpected"'
  return { ...answer, text: how === 'json' ? '{"unfinished": "' : misfit }
}

/** The fault of one directive, or null when it has none. */
const faulty = (request: ScriptRequest, answer: MessageAnswer, directive: Directive): Answer | null => {
  if (directive.fail !== undefined) {
    if (directive.in === 'stream') return { ...answer, fault: 'overloaded' }
    return {
      type: 'error',
      status: directive.fail,
      message: directive.message ?? `scripted failure ${directive.fail}`,
      ...(directive['retry-after'] === undefined ? {} : { retryAfterSeconds: directive['retry-after'] }),
    }
  }
  if (directive.cut !== undefined)
    return directive.cut === 'headers'
      ? { type: 'reset' }
      : { ...answer, fault: directive.cut === 'reset' ? 'reset' : 'end' }
  if (directive.hang !== undefined)
    return directive.hang === 'headers' ? { type: 'silence' } : { ...answer, fault: 'silence' }
  if (directive.malformed !== undefined) return malformed(request, answer, directive.malformed)
  if (directive.refusal) return { type: 'message', text: 'I cannot', stop: 'refusal' }
  if (directive.stop === 'max_tokens') return truncated(answer)
  if (directive.stop !== undefined) return { ...answer, stop: directive.stop }
  return null
}

const checked = (directive: Directive): Directive => {
  if (directive.in === 'stream' && directive.fail !== 529)
    throw new DirectiveError('scripted: `in=stream` goes with `fail=529`')
  return directive
}

/**
 * The answer to a request that no script took. Everything follows from the request, but for `times`: the same
 * request is answered the same way after a crash. Throws DirectiveError.
 */
export const answerTo = (request: ScriptRequest, takeFault: TakeFault): Answer => {
  const directives = readDirectives(`${request.system}\n${request.prompt}`)
    .map(checked)
    .filter((directive) => directive.turn === undefined || directive.turn === request.turn)
  const wanted: Wanted = Object.assign({}, ...directives)
  const answer = wellBehaved(request, wanted)
  for (const directive of directives) {
    const fault = faulty(request, answer, directive)
    if (fault && takeFault(request.effectKey, directive.text, directive.times))
      return wanted.latency === undefined ? fault : { ...fault, latencyMs: wanted.latency }
  }
  return answer
}

/** The JSON Schema that a system prompt carries in a fenced block after the words `JSON Schema`, or null. */
export const schemaInPrompt = (
  system: string,
  isSchema: (value: unknown) => value is JsonObject,
): JsonObject | null => {
  const body = /JSON Schema[^`]*```json\n([\s\S]*?)\n```/.exec(system)?.[1]
  if (body === undefined) return null
  try {
    const parsed: unknown = JSON.parse(body)
    return isSchema(parsed) ? parsed : null
  } catch {
    return null
  }
}
