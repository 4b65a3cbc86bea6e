// condemn: what a run shows whose command killed its engine again and again. The command is buried; nothing is
// decided here, since deciding may be what kills. A person looks at it.
import { type Command, failure } from '@stepfleet/contracts'
import { caseId } from '../decide/failure-policy.ts'
import { isEnded } from '../state/state.ts'
import { emit, type Turn } from '../turn.ts'

const pathOf = (command: Command): string | null => {
  if (command.type === 'outcome') return command.outcome.path
  return 'path' in command ? (command.path ?? null) : null
}

/** The named step escalates; a run that never started fails; else the run is paused with the reason. */
export const condemn = (turn: Turn, command: Command): void => {
  const message = `command ${command.type} ${command.id} stopped its engine three times; it lies in the shard's dead stream`
  const cause = failure('engine_failure', message)
  const { state } = turn
  if (state.endedAtMs !== null) return
  if (state.version === 0) {
    if (command.type !== 'start') return
    const { workflow, input, labels, priority, env, parent } = command
    emit(turn, { type: 'run.started', workflow, input, labels, priority, env, ...(parent ? { parent } : {}) })
    emit(turn, { type: 'run.failed', failure: cause })
    return
  }
  const path = pathOf(command)
  const step = path === null ? undefined : state.steps.get(path)
  if (step && !isEnded(step) && !step.case) {
    emit(turn, {
      type: 'step.escalated',
      path: step.path,
      case: caseId(turn),
      reason: 'engine_failure',
      failure: cause,
    })
  } else if (!state.paused) emit(turn, { type: 'run.paused', by: 'engine', reason: message })
}
