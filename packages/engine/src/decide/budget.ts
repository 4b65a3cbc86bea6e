// budget: what a model call may cost at most is reserved before it, in every budget that holds for it. A call that could
// pass one is not made: it waits for calls under way to be settled, or its step fails and a person may raise the budget.
import { type BudgetDefinition, failure, type LlmInput, MAX_TOKENS } from '@stepfleet/contracts'
import { turnPath } from '../state/paths.ts'
import { lastAttempt, type StepState } from '../state/state.ts'
import { ask, type BudgetCap, type BudgetOver, type Looked, type Turn } from '../turn.ts'
import { settleFailure } from './failure-policy.ts'
import { hold } from './hold.ts'

const MICRO = 1_000_000
/** How long until reservations are looked at again, where no call of the same run says so. */
const PENDING_MS = 1_000
/**
 * Characters of a token, at least: English prose has some 4, code and other scripts fewer. Too few only reserves more
 * than is used, and what was not used is given back.
 */
const CHARS_PER_TOKEN = 2.5

/** One delivery of one attempt: each may be paid. */
export const holderOf = (path: string, attempt: number, delivery: number): string => `${path}.${attempt}.${delivery}`

const capOf = (scope: BudgetCap['scope'], said: Pick<BudgetDefinition, 'usd' | 'tokens'>): BudgetCap => ({
  scope,
  microUsd: said.usd === undefined ? null : Math.round(said.usd * MICRO),
  tokens: said.tokens ?? null,
})

/** The budgets of a run: as it was started, or raised since. */
export const capsOf = ({ state }: Pick<Turn, 'state'>): BudgetCap[] => {
  const { usd, tokens, per_day: perDay } = state.budget ?? {}
  return [
    ...(usd === undefined && tokens === undefined ? [] : [capOf('run', { usd, tokens })]),
    ...(perDay ? [capOf('workflow', perDay)] : []),
  ]
}

/** Something is counted: by the run, or for all runs of the namespace. */
export const isBudgeted = (turn: Turn): boolean => turn.spending.capped || turn.state.budget !== null

/** Tokens of the turns before, which the worker reads from the journal: what the last one was charged, in and out. */
const historyTokens = (turn: Turn, { agent }: LlmInput): number => {
  if (!agent || agent.turn === 1) return 0
  const before = turn.state.steps.get(turnPath(agent.path, agent.turn - 1))
  const usage = before && lastAttempt(before)?.usage
  return usage ? usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens + usage.outputTokens : 0
}

/** Characters that the tools of the turn before gave, as far as they are known without loading them. */
const resultChars = (turn: Turn, { agent }: LlmInput): number => {
  if (!agent) return 0
  const prefix = `${agent.path}/turn-${agent.turn - 1}/tool-`
  let chars = 0
  for (let use = 0; ; use += 1) {
    const tool: StepState | undefined = turn.state.steps.get(`${prefix}${use}`)
    if (!tool) return chars
    const { output, failure: cause } = tool
    if (output) chars += 'blob' in output ? output.bytes : JSON.stringify(output.value).length
    else chars += cause?.message.length ?? 0
  }
}

/** What a call may use at most: tokens in and out, and micro-dollars (0 where the model has no known price). */
export const estimate = (turn: Turn, input: LlmInput): { tokens: number; microUsd: number } => {
  const { messages, system = '', output, agent, settings, model } = input
  const said = JSON.stringify([messages, system, output ?? null, agent?.tools ?? []]).length
  const tokensIn = Math.ceil((said + resultChars(turn, input)) / CHARS_PER_TOKEN) + historyTokens(turn, input)
  const tokensOut = settings.max_tokens ?? MAX_TOKENS
  const price = turn.spending.prices.models[model]
  const perTokenIn = price ? Math.max(price.input, price.cacheWrite) : 0
  const microUsd = Math.ceil((tokensIn * perTokenIn + tokensOut * (price?.output ?? 0)) / MICRO)
  return { tokens: tokensIn + tokensOut, microUsd }
}

const WHOSE = { run: 'the run', workflow: 'the workflow today', namespace: 'the namespace today' } as const

const inWords = ({ unit, amount }: { unit: BudgetOver['unit']; amount: number }): string =>
  unit === 'tokens' ? `${amount} tokens` : `$${(amount / MICRO).toFixed(4)}`

const exceeded = (over: BudgetOver) => {
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
  const answer = ask(turn, { kind: 'budget', workflow, holder, caps: capsOf(turn), ...estimate(turn, call.input) })
  if (answer === null) return 'wait'
  turn.state.unaffordable.delete(path)
  if (answer.kind !== 'budget' || answer.granted) return 'granted'
  const { over, pending } = answer
  if (pending) {
    turn.state.unaffordable.add(path)
    const why = `waits for calls under way: what they may cost is reserved in the budget of ${WHOSE[over.scope]}`
    return hold(turn, path, why, PENDING_MS)
  }
  settleFailure(turn, path, exceeded(over))
  return 'done'
}
