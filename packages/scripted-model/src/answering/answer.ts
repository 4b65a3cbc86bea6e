// What the scripted model says: plain text, a value that fits a schema, tool calls and then an answer; and what directives change.
import { pick, seedOf } from '../json.ts'
import { withoutDirectives } from './bracket.ts'
import { type Directive, readDirective, readDirectives } from './directives.ts'
import { generate } from './generate.ts'
import { checkTogether, faulty } from './misbehave.ts'
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
  const twoAtOnce = request.parallelTools && request.toolTurns === 1 && offered.length > 1
  const parallel = wanted.parallel ?? (twoAtOnce && !wanted.forever ? 2 : 1)
  return Array.from({ length: Math.max(1, parallel) }, (_, index) => {
    const step = (wanted.forever ? 0 : request.toolTurns) + index
    // a tool that is not offered is asked for all the same: models do that
    const tool = pick(offered, step, { name: name ?? 'unknown', schema: {} })
    const topic = `${topicOf(request.prompt)}: ${pick(ASPECTS, step, '')}`
    return { name: tool.name, input: wanted.args ?? generate(tool.schema, { seed: seed + step, topic }) }
  })
}

const wantsTools = (request: ScriptRequest, wanted: Wanted, seed: number): boolean => {
  if (request.tools.length === 0 || request.toolChoice === 'none') return false
  if (request.toolChoice !== 'auto' || wanted.forever) return true
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

type Wanted = Pick<Directive, 'turns' | 'forever' | 'tool' | 'parallel' | 'args' | 'say' | 'latency' | 'chunk-ms'>

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

const applies = (directive: Directive, request: ScriptRequest): boolean => {
  checkTogether(directive)
  return directive.turn === undefined || directive.turn === request.turn
}

/**
 * The answer to a request that no script took. `told`: what a script or a rule says in the words of the directives;
 * it counts before those of the prompt. Everything follows from the request, but for `times`: the same request is
 * answered the same way after a crash. Throws DirectiveError.
 */
export const answerTo = (request: ScriptRequest, told: readonly string[], takeFault: TakeFault): Answer => {
  const ours = told.map(readDirective).filter((directive) => applies(directive, request))
  const prompted = readDirectives(`${request.system}\n${request.prompt}`).filter((each) => applies(each, request))
  const wanted: Wanted = Object.assign({}, ...prompted, ...ours)
  const answer = wellBehaved(request, wanted)
  for (const directive of [...ours, ...prompted]) {
    const fault = faulty(request, answer, directive)
    if (fault && takeFault(request.effectKey, directive.text, directive.times))
      return wanted.latency === undefined ? fault : { ...fault, latencyMs: wanted.latency }
  }
  return answer
}
