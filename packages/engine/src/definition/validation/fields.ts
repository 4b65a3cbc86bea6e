// The fields each place of a definition knows, for the nearest right spelling.
import {
  AGENT_TOOLS,
  agentBodySchema,
  approvalBodySchema,
  budgetSchema,
  cacheSchema,
  compensateSchema,
  concurrencySchema,
  confidenceSchema,
  definitionSchema,
  eachSchema,
  fallbackSchema,
  llmBodySchema,
  nearest,
  rateSchema,
  repeatSchema,
  retrySchema,
  runBodySchema,
  STEP_KINDS,
  signalBodySchema,
  stepSchema,
} from '@stepfleet/contracts'
import type { Path } from './findings.ts'

const keys = (shape: object): readonly string[] => Object.keys(shape)

const STEP_FIELDS = keys(stepSchema.shape)
const TOOL_FIELDS = [...new Set(Object.values(AGENT_TOOLS).flatMap((tool) => keys(tool.shape)))]

/** Place (`*` is any name or index) → what it is called, and its fields. */
const FIELDS: ReadonlyMap<string, { what: string; names: readonly string[] }> = new Map([
  ['', { what: 'a definition', names: keys(definitionSchema.shape) }],
  ['defaults', { what: 'defaults', names: ['retry', 'timeout'] }],
  ['defaults.retry', { what: 'a retry', names: keys(retrySchema.shape) }],
  ['steps.*', { what: 'a step', names: STEP_FIELDS }],
  ['steps.*.llm', { what: 'llm', names: keys(llmBodySchema.shape) }],
  ['steps.*.llm.messages.*', { what: 'a message', names: ['role', 'content'] }],
  ['steps.*.agent', { what: 'agent', names: keys(agentBodySchema.shape) }],
  ['steps.*.agent.tools.*', { what: 'a tool of an agent', names: TOOL_FIELDS }],
  ['steps.*.agent.tools.*.approval', { what: 'approval', names: keys(approvalBodySchema.shape) }],
  ['steps.*.agent.tools.*.run', { what: 'run', names: keys(runBodySchema.options[1].shape) }],
  ['steps.*.agent.tools.*.retry', { what: 'a retry', names: keys(retrySchema.shape) }],
  ['steps.*.approval', { what: 'approval', names: keys(approvalBodySchema.shape) }],
  ['steps.*.wait', { what: 'wait', names: ['for', 'until'] }],
  ['steps.*.signal', { what: 'signal', names: keys(signalBodySchema.options[1].shape) }],
  ['steps.*.each', { what: 'each', names: keys(eachSchema.options[1].shape) }],
  ['steps.*.each.join', { what: 'a join', names: ['atLeast'] }],
  ['steps.*.retry', { what: 'a retry', names: keys(retrySchema.shape) }],
  ['steps.*.run', { what: 'run', names: keys(runBodySchema.options[1].shape) }],
  ['steps.*.repeat', { what: 'repeat', names: keys(repeatSchema.shape) }],
  ['steps.*.compensate', { what: 'compensate', names: keys(compensateSchema.shape) }],
  ['steps.*.compensate.llm', { what: 'llm', names: keys(llmBodySchema.shape) }],
  ['steps.*.compensate.llm.messages.*', { what: 'a message', names: ['role', 'content'] }],
  ['steps.*.compensate.retry', { what: 'a retry', names: keys(retrySchema.shape) }],
  ['steps.*.compensate.run', { what: 'run', names: keys(runBodySchema.options[1].shape) }],
  ['steps.*.fallback', { what: 'fallback', names: keys(fallbackSchema.shape) }],
  ['steps.*.fallback.llm', { what: 'llm', names: keys(llmBodySchema.shape) }],
  ['steps.*.fallback.llm.messages.*', { what: 'a message', names: ['role', 'content'] }],
  ['steps.*.fallback.agent', { what: 'agent', names: keys(agentBodySchema.shape) }],
  ['steps.*.fallback.agent.tools.*', { what: 'a tool of an agent', names: TOOL_FIELDS }],
  ['steps.*.fallback.approval', { what: 'approval', names: keys(approvalBodySchema.shape) }],
  ['steps.*.fallback.retry', { what: 'a retry', names: keys(retrySchema.shape) }],
  ['steps.*.fallback.run', { what: 'run', names: keys(runBodySchema.options[1].shape) }],
  ['steps.*.confidence', { what: 'confidence', names: keys(confidenceSchema.shape) }],
  ['steps.*.concurrency', { what: 'concurrency', names: keys(concurrencySchema.shape) }],
  ['steps.*.rate', { what: 'rate', names: keys(rateSchema.shape) }],
  ['steps.*.cache', { what: 'cache', names: keys(cacheSchema.shape) }],
  ['steps.*.on_failure', { what: 'on_failure', names: ['use'] }],
  ['budget', { what: 'budget', names: keys(budgetSchema.shape) }],
  ['steps.*.agent.budget', { what: 'the budget of an agent', names: ['usd', 'tokens'] }],
  ['budget.per_day', { what: 'a budget of a day', names: ['usd', 'tokens'] }],
  ['concurrency', { what: 'concurrency', names: keys(concurrencySchema.shape) }],
])

/** A place with names and indexes replaced by `*`, as the table has it. */
const patternOf = (path: Path): string => {
  let at = 0
  // a step of a block is a step
  while (path[at] === 'steps' && path[at + 2] === 'steps') at += 2
  const own = path.slice(at)
  return own.map((key, i) => (typeof key === 'number' || (i === 1 && own[0] === 'steps') ? '*' : key)).join('.')
}

/** Bodies whose fields people write one level too high. */
const BODIES: readonly (readonly [string, readonly string[]])[] = [
  ['llm', keys(llmBodySchema.shape)],
  ['agent', keys(agentBodySchema.shape)],
  ['approval', keys(approvalBodySchema.shape)],
  ['each', keys(eachSchema.options[1].shape)],
  ['run', ['workflow', 'detach']],
  ['repeat', ['until', 'on_max']],
]

const suggestionFor = (pattern: string, key: string, names: readonly string[]): string | null => {
  const near = nearest(key, names)
  if (near !== null || pattern !== 'steps.*') return near
  const body = BODIES.find(([, fields]) => fields.includes(key))
  return body ? `${body[0]}.${key}` : null
}

/** What to say of a field that a place does not know. */
export const unknownField = (path: Path, key: string): { message: string; suggestion: string | null } => {
  const pattern = patternOf(path)
  const place = FIELDS.get(pattern)
  if (!place) return { message: `\`${key}\` is not known here`, suggestion: null }
  if (place.names.includes(key))
    return { message: `\`${key}\` does not go with what else stands here`, suggestion: null }
  return {
    message: `${place.what} has no field \`${key}\``,
    suggestion: suggestionFor(pattern, key, place.names),
  }
}

/** True when a field of a step is a mistyped kind, so that `lm:` is not also a step without a kind. */
export const isMistypedKind = (key: string): boolean => {
  if (STEP_FIELDS.includes(key)) return false
  const { suggestion } = unknownField(['steps', 'x'], key)
  return STEP_KINDS.some((kind) => suggestion === kind || suggestion?.startsWith(`${kind}.`))
}
