// agent: a model with tools, until it answers. Every model call and every tool call is a step of its own, so a
// crash in turn 17 resumes in turn 17, and no tool call is left without its result.
import { failure, type Json } from '@stepfleet/contracts'
import { canonicalJson } from '../definition/canonical.ts'
import { DEFAULT_MAX_IDENTICAL } from '../definition/compile/defaults.ts'
import { toolPath, turnPath } from '../state/paths.ts'
import { isEnded, type StepState } from '../state/state.ts'
import { type Looked, planOf, type Turn } from '../turn.ts'
import { finishStep } from './confidence.ts'
import { settleFailure } from './failure-policy.ts'
import { packOutput } from './output.ts'
import { start } from './start.ts'
import { turnOutput } from './tool-use.ts'

/** Goes on from the newest turn: its tools, the next turn, or the answer. */
export const advanceAgent = (turn: Turn, agent: StepState): Looked => {
  if (agent.rounds === 0) return start(turn, turnPath(agent.path, 1))
  const call = turn.state.steps.get(turnPath(agent.path, agent.rounds))
  if (!call || !isEnded(call)) return 'done'
  if (call.phase === 'failed' || call.phase === 'skipped' || call.phase === 'cancelled') {
    const cause = call.failure ?? failure('failed_by_operator', `${call.path} was ${call.phase}`)
    settleFailure(turn, agent.path, cause)
    return 'done'
  }
  const answer = turnOutput(turn, agent.path, agent.rounds)
  if (answer === null) return 'wait'
  if (answer.toolUses.length === 0) return finish(turn, agent, answer.text)
  const stuck = isStuck(turn, agent)
  if (stuck === null) return 'wait'
  if (stuck) {
    const names = [...new Set(answer.toolUses.map(({ name }) => name))].join(', ')
    const message = `the last ${maxIdenticalOf(turn, agent)} turns asked for the same: ${names} with the same arguments`
    settleFailure(turn, agent.path, failure('repeated_calls', message))
    return 'done'
  }
  return runTools(turn, agent, answer.toolUses.length)
}

const maxIdenticalOf = (turn: Turn, agent: StepState): number => {
  const { body } = planOf(turn.plan, agent.node)
  return body.kind === 'agent' ? body.maxIdentical : DEFAULT_MAX_IDENTICAL
}

/** What the tools of a turn are asked for, as text; null: a payload must be loaded first. */
const askedIn = (turn: Turn, agent: StepState, number: number): string | null => {
  const answer = turnOutput(turn, agent.path, number)
  return answer && canonicalJson(answer.toolUses.map(({ name, input }) => [name, input]))
}

/** The same calls again and again, since a person last asked for it; null: a payload must be loaded first. */
const isStuck = (turn: Turn, agent: StepState): boolean | null => {
  const { rounds, roundsBefore } = agent
  const most = maxIdenticalOf(turn, agent)
  if (rounds - roundsBefore < most || turn.state.steps.has(toolPath(agent.path, rounds, 0))) return false
  const newest = askedIn(turn, agent, rounds)
  for (let number = rounds - 1; number > rounds - most; number -= 1) {
    const asked = askedIn(turn, agent, number)
    if (asked === null || newest === null) return null
    if (asked !== newest) return false
  }
  return true
}

/** Starts the tools of the newest turn side by side; when all have ended, the next turn. */
const runTools = (turn: Turn, agent: StepState, uses: number): Looked => {
  let ended = 0
  for (let use = 0; use < uses; use += 1) {
    const path = toolPath(agent.path, agent.rounds, use)
    if (!turn.state.steps.has(path) && start(turn, path) === 'wait') return 'wait'
    const step = turn.state.steps.get(path)
    if (step && isEnded(step)) ended += 1
  }
  if (ended < uses) return 'done'
  const body = planOf(turn.plan, agent.node).body
  const max = body.kind === 'agent' ? body.maxTurns : 0
  if (agent.rounds - agent.roundsBefore >= max) {
    settleFailure(turn, agent.path, failure('max_turns_exceeded', `no answer within ${max} turns`))
    return 'done'
  }
  return start(turn, turnPath(agent.path, agent.rounds + 1))
}

const finish = (turn: Turn, agent: StepState, text: string): Looked => {
  const body = planOf(turn.plan, agent.node).body
  const output = body.kind === 'agent' && body.output ? parseAnswer(text) : { value: text }
  const payload = output && packOutput(turn, agent.path, output.value)
  if (payload) finishStep(turn, agent, payload)
  else if (!output)
    settleFailure(turn, agent.path, failure('malformed_output', 'the answer is not JSON', { class: 'permanent' }))
  return 'done'
}

/** The worker has checked the text against the schema; an operator's override has not been. */
const parseAnswer = (text: string): { value: Json } | null => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return null
  }
}
