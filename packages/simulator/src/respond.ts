// What people do about what the desk is told: an answer to an approval or gate, a decision on a case.
import type { Command, EscalationNotice } from '@stepfleet/contracts'
import { parsePath } from '@stepfleet/engine'
import { stepNames, taskNames } from './names.ts'
import type { ApprovalAnswer, CaseAnswer } from './options.ts'
import { durationOption } from './people.ts'
import { calledName, type SimulatedRun } from './simulated-run.ts'
import type { World } from './world.ts'

const SOMEBODY = 'somebody'

const namesOf = (run: SimulatedRun, path: string): string[] =>
  parsePath(path).role === 'tool'
    ? taskNames(run.prefix, path, { tools: [calledName(run, path)] })
    : [...new Set([run.fullPath(path), ...stepNames(run.prefix, agentOf(path))])]

/** A case of a turn is meant by the name of its agent. */
const agentOf = (path: string): string => {
  const { role, parent } = parsePath(path)
  return role === 'turn' && parent !== null ? parent : path
}

const base = (run: SimulatedRun, notice: EscalationNotice, answer: ApprovalAnswer | CaseAnswer) => ({
  id: `person/${notice.case}`,
  ns: run.ns,
  run: run.run,
  by: { kind: 'operator' as const, id: answer.by ?? SOMEBODY },
  path: notice.path,
  case: notice.case,
  ...(answer.reason === undefined ? {} : { reason: answer.reason }),
})

const approve = (run: SimulatedRun, notice: EscalationNotice, answer: ApprovalAnswer): Command => ({
  ...base(run, notice, answer),
  type: 'approve',
  approved: answer.approved,
  ...(answer.edits === undefined ? {} : { edits: answer.edits }),
})

const resolve = (run: SimulatedRun, notice: EscalationNotice, answer: CaseAnswer): Command => {
  const about = base(run, notice, answer)
  switch (answer.action) {
    case 'retry':
      return { ...about, type: 'retry', ...(answer.edit === undefined ? {} : { edit: answer.edit }) }
    case 'override':
      return { ...about, type: 'override', output: { value: answer.output } }
    case 'skip':
    case 'fail':
      return { ...about, type: answer.action }
  }
}

/** The desk was told of something: whoever is to answer it does so in time. */
export const answerNotice = (world: World, run: SimulatedRun, notice: EscalationNotice): void => {
  if (notice.type !== 'opened') return
  const names = namesOf(run, notice.path)
  const path = run.fullPath(notice.path)
  const { people } = world.parts
  if (run.state.steps.get(notice.path)?.phase === 'escalated') {
    const answer = people.resolution(names, path)
    if (answer) world.later(durationOption(answer.after, path), () => world.give(run, resolve(run, notice, answer)))
    return
  }
  const answer = people.approval(names, path)
  if (answer) world.later(durationOption(answer.after, path), () => world.give(run, approve(run, notice, answer)))
}
