// budget: what a model call may cost at most is reserved before it, in every budget that holds for it. A call that could
// pass one is not made: it waits for calls under way to be settled, or its step fails and a person may raise the budget.
import { failure, type LlmInput, MAX_TOKENS, type RunBudget } from '@stepfleet/contracts'
import { utf8Length } from '../expressions/utf8.ts'
import { holderOf, toolPath, turnPath } from '../state/paths.ts'
import type { RunState, StepState } from '../state/state.ts'
import { ask, type BudgetCap, type BudgetOver, type Looked, planOf, type Turn } from '../turn.ts'
import { settleFailure } from './failure-policy.ts'
import { hold } from './hold.ts'
import { isBody } from './layers.ts'

const MICRO = 1_000_000
/** How long until reservations are looked at again, where no call of the same run says so. */
const PENDING_MS = 1_000
/**
 * Bytes of a token, at least: English prose has some 4, code fewer, a Chinese character 3 in one token or two. Too few
 * only reserves more than is used, and what was not used is given back.
 */
const BYTES_PER_TOKEN = 2

const capOf = (scope: BudgetCap['scope'], said: RunBudget): BudgetCap => ({
  scope,
  microUsd: said.usd === undefined ? null : Math.round(said.usd * MICRO),
  tokens: said.tokens ?? null,
})

/** What is left of a cap beside what was spent before it was one. */
const lessOf = (cap: BudgetCap, uncounted: RunState['uncounted']): BudgetCap => ({
  ...cap,
  microUsd: cap.microUsd === null ? null : Math.max(0, cap.microUsd - uncounted.microUsd),
  tokens: cap.tokens === null ? null : Math.max(0, cap.tokens - uncounted.tokens),
})

/** What an agent may spend, as it is defined, or raised since; null: it has no budget of its own. */
export const agentBudget = ({ plan, state }: Pick<Turn, 'plan' | 'state'>, path: string): RunBudget | null => {
  const step = state.steps.get(path)
  if (!step || !plan.agentBudgets || !isBody(plan, step)) return null
  const { body } = planOf(plan, step.node)
  return body.kind === 'agent' && body.budget ? { ...body.budget, ...step.budget } : null
}

/** The budgets of a call: as they were defined, or raised since. */
const capsOf = ({ state }: Turn, own: RunBudget | null): BudgetCap[] => {
  const { usd, tokens, per_day: perDay } = state.budget ?? {}
  return [
    ...(own ? [capOf('agent', own)] : []),
    ...(usd === undefined && tokens === undefined ? [] : [lessOf(capOf('run', { usd, tokens }), state.uncounted)]),
    ...(perDay ? [capOf('workflow', perDay)] : []),
  ]
}

/** Something is counted: by an agent, by the run, or for all runs of the namespace. */
export const isBudgeted = ({ plan, spending, state }: Turn): boolean =>
  spending.capped || state.budget !== null || plan.agentBudgets

const bytesOf = ({ output, failure: cause }: StepState): number => {
  if (output) return 'blob' in output ? output.bytes : utf8Length(JSON.stringify(output.value))
  return utf8Length(cause?.message ?? '')
}

/** Bytes that the tools of a turn gave, known without loading them. */
const resultBytes = (turn: Turn, agent: string, number: number): number => {
  let bytes = 0
  for (let use = 0; ; use += 1) {
    const tool = turn.state.steps.get(toolPath(agent, number, use))
    if (!tool) return bytes
    bytes += bytesOf(tool)
  }
}

/** The most that an attempt of a turn was charged, in and out; 0: none was. */
const chargedFor = ({ attempts }: StepState): number =>
  Math.max(
    0,
    ...attempts.map(({ usage }) =>
      usage ? usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens + usage.outputTokens : 0,
    ),
  )

/**
 * Tokens of the turns before, which the worker reads from the journal: what the last one that was charged was, with all
 * that came after it.
 */
const historyTokens = (turn: Turn, { agent }: LlmInput): number => {
  let bytes = 0
  for (let number = (agent?.turn ?? 1) - 1; agent && number > 0; number -= 1) {
    const before = turn.state.steps.get(turnPath(agent.path, number))
    bytes += resultBytes(turn, agent.path, number)
    const charged = before ? chargedFor(before) : 0
    if (charged > 0) return charged + Math.ceil(bytes / BYTES_PER_TOKEN)
    if (before) bytes += bytesOf(before)
  }
  return Math.ceil(bytes / BYTES_PER_TOKEN)
}

/** What a call may use at most: tokens in and out, and micro-dollars (0 where the model has no known price). */
export const estimate = (turn: Turn, input: LlmInput): { tokens: number; microUsd: number } => {
  const { messages, system = '', output, agent, settings, model } = input
  const said = utf8Length(JSON.stringify([messages, system, output ?? null, agent?.tools ?? []]))
  const once = Math.ceil(said / BYTES_PER_TOKEN) + historyTokens(turn, input)
  const answer = settings.max_tokens ?? MAX_TOKENS
  // an answer that does not fit its schema is asked for once more, with itself in the conversation
  const tokensIn = output ? 2 * once + answer : once
  const tokensOut = output ? 2 * answer : answer
  const price = turn.spending.prices.models[model]
  const perTokenIn = price ? Math.max(price.input, price.cacheWrite) : 0
  const microUsd = Math.ceil((tokensIn * perTokenIn + tokensOut * (price?.output ?? 0)) / MICRO)
  return { tokens: tokensIn + tokensOut, microUsd }
}

const WHOSE = {
  agent: 'the agent',
  run: 'the run',
  workflow: 'the workflow today',
  namespace: 'the namespace today',
} as const

const inWords = ({ unit, amount }: { unit: BudgetOver['unit']; amount: number }): string =>
  unit === 'tokens' ? `${amount} tokens` : `$${(amount / MICRO).toFixed(4)}`

const exceeded = (turn: Turn, given: BudgetOver) => {
  const { uncounted } = turn.state
  const before = given.scope === 'run' ? (given.unit === 'tokens' ? uncounted.tokens : uncounted.microUsd) : 0
  const over = { ...given, cap: given.cap + before, spent: given.spent + before }
  const { scope, unit, cap, spent, needed } = over
  const say = (amount: number) => inWords({ unit, amount })
  const message = `the budget of ${WHOSE[scope]} is ${say(cap)}: ${say(spent)} is spent, and the next call may cost ${say(needed)}`
  return failure('budget_exceeded', message, { details: { ...over } })
}

/** Reserves what a call may cost; `done`: it may not be made, or not yet. */
export const admitCall = (
  turn: Turn,
  path: string,
  call: { attempt: number; delivery: number; input: LlmInput },
): Looked | 'granted' => {
  if (!isBudgeted(turn)) return 'granted'
  const holder = holderOf(path, call.attempt, call.delivery)
  const workflow = turn.plan.name
  const agent = call.input.agent?.path
  const own = agent === undefined ? null : agentBudget(turn, agent)
  const caps = capsOf(turn, own)
  if (caps.length === 0 && !turn.spending.capped) return 'granted'
  const whose = { workflow, holder, ...(own ? { agent } : {}) }
  const answer = ask(turn, { kind: 'budget', ...whose, caps, ...estimate(turn, call.input) })
  if (answer === null) return 'wait'
  turn.state.unaffordable.delete(path)
  if (answer.kind !== 'budget' || answer.granted) return 'granted'
  const { over, pending } = answer
  if (pending) {
    turn.state.unaffordable.add(path)
    const why = `waits for calls under way: what they may cost is reserved in the budget of ${WHOSE[over.scope]}`
    return hold(turn, path, why, PENDING_MS)
  }
  settleFailure(turn, path, exceeded(turn, over))
  return 'done'
}
