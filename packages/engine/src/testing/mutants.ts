// Mutants of the shipped engine: one guard taken out of each. A mutant is a patch of a shipped file; a patch that no longer
// fits fails the test (laws.mutants.test.ts), so none goes stale.

interface Patch {
  file: string
  from: string
  to: string
}
export interface Mutant {
  /** The law that must find it; a name, where it is for the reference to find. */
  law: string
  /** What was taken out. */
  without: string
  patches: readonly Patch[]
}

export const LAW_MUTANTS: readonly Mutant[] = [
  {
    law: 'no_gaps',
    without: 'the sequence',
    patches: [
      { file: 'turn.ts', from: 'seq: state.version + 1,', to: 'seq: state.version + (state.version > 3 ? 2 : 1),' },
      { file: 'state/fold.ts', from: 'if (event.seq !== state.version + 1) {', to: 'if (event.seq < 0) {' },
    ],
  },
  {
    law: 'time_never_runs_back',
    without: 'the monotonic clock',
    patches: [
      {
        file: 'turn.ts',
        from: 'atMs: Math.max(turn.nowMs, state.lastAtMs)',
        to: 'atMs: turn.nowMs - (state.version % 7)',
      },
    ],
  },
  {
    law: 'starts_once',
    without: 'the check for a start that came before',
    patches: [{ file: 'accept/accept.ts', from: 'if (turn.state.version === 0) {', to: 'if (true) {' }],
  },
  {
    law: 'nothing_after_the_end',
    without: 'the end of a run',
    patches: [
      { file: 'state/fold.ts', from: "closeRun(state, 'completed', event.atMs)", to: "state.status = 'completed'" },
    ],
  },
  {
    law: 'ends_once',
    without: 'the refusal of a second answer',
    patches: [
      {
        file: 'accept/outcome.ts',
        from: 'if (isEnded(step)) noteCost',
        to: "if (outcome.result.status !== 'done' && isEnded(step)) noteCost",
      },
    ],
  },
  {
    law: 'deliveries_in_order',
    without: 'the count of deliveries',
    patches: [
      { file: 'decide/dispatch.ts', from: 'const delivery = again ? again.delivery + 1 : 1', to: 'const delivery = 1' },
    ],
  },
  {
    law: 'nothing_of_an_ended_step',
    without: 'the check that what was lost is out',
    patches: [{ file: 'accept/outcome.ts', from: "return step.phase === 'scheduled' && last", to: 'return last' }],
  },
  {
    law: 'backoff_is_kept',
    without: 'the wait before a retry',
    patches: [{ file: 'decide/decide.ts', from: '(step.notBeforeMs ?? 0) <= turn.nowMs', to: 'turn.nowMs >= 0' }],
  },
  {
    law: 'failures_are_settled',
    without: 'the policy of a failed step',
    patches: [{ file: 'decide/decide.ts', from: 'if (step.failure) settleFailure(turn, path, step.failure)', to: '' }],
  },
  {
    law: 'cases_are_decided_once',
    without: 'the closing of a case',
    patches: [
      { file: 'state/fold.ts', from: 'step.case = null\n    if (step.approval', to: 'if (step.approval' },
      { file: 'state/transitions.ts', from: 'step.heldWhy = null\n  step.case = null\n', to: 'step.heldWhy = null\n' },
    ],
  },
  {
    law: 'once_is_not_repeated',
    without: 'the refusal to repeat what is ambiguous',
    patches: [
      {
        file: 'decide/retry.ts',
        from: "(failure.class === 'ambiguous' && effect !== 'once')",
        to: "failure.class === 'ambiguous'",
      },
      { file: 'decide/retry.ts', from: 'used >= policy.attempts', to: 'used >= 3' },
    ],
  },
  {
    law: 'callbacks_are_answered',
    without: 'the wait for the outside, once it was told',
    patches: [
      {
        file: 'accept/outcome.ts',
        from: "if (waitMs !== null && outcome.result.status === 'done') {",
        to: "if (waitMs !== null && waitMs < 0 && outcome.result.status === 'done') {",
      },
    ],
  },
  {
    law: 'needs_come_first',
    without: 'the wait for what is needed',
    patches: [
      {
        file: 'decide/graph.ts',
        from: "if (!step || !isEnded(step)) return 'blocked'",
        to: "if (!step) return 'blocked'",
      },
    ],
  },
  {
    law: 'iterations_in_order',
    without: 'the wait for the iteration before',
    patches: [{ file: 'decide/repeat.ts', from: 'if (!last || !isEnded(last))', to: 'if (!last)' }],
  },
  {
    law: 'items_in_order',
    without: 'the order of items',
    patches: [
      {
        file: 'decide/each.ts',
        from: 'const path = itemPath(group.path, group.cursor)',
        to: 'const path = itemPath(group.path, count - 1 - group.cursor)',
      },
    ],
  },
  {
    law: 'concurrency_is_kept',
    without: 'the concurrency of an each',
    patches: [
      {
        file: 'decide/each.ts',
        from: 'group.cursor < count && group.open - group.held < plan.concurrency',
        to: 'group.cursor < count',
      },
    ],
  },
  {
    law: 'races_end_when_met',
    without: 'the end of a race that is won',
    patches: [{ file: 'decide/each.ts', from: 'if (group.completed >= needed)', to: 'if (group.completed > needed)' }],
  },
  {
    law: 'nothing_inside_after_the_end',
    without: 'the cancelling of what is inside',
    patches: [
      {
        file: 'state/transitions.ts',
        from: "if (isInside(step.path, composite.path) && !isEnded(step)) end(state, step, 'cancelled', atMs)",
        to: '',
      },
    ],
  },
  {
    law: 'needs_any_are_met',
    without: 'the look at what may be skipped',
    patches: [{ file: 'decide/graph.ts', from: 'needsAny.length > 0 && ', to: 'needsAny.length > 9 && ' }],
  },
  {
    law: 'children_answer',
    without: 'the wait for a child',
    patches: [{ file: 'decide/run.ts', from: 'if (detach) emit(', to: 'emit(' }],
  },
  {
    law: 'compensations_in_order',
    without: 'the reverse order',
    patches: [{ file: 'decide/closing.ts', from: 'doneSeq(a) - doneSeq(b)', to: 'doneSeq(b) - doneSeq(a)' }],
  },
  {
    law: 'only_undoing_at_the_end',
    without: 'the end of what was open',
    patches: [
      { file: 'state/fold.ts', from: 'cutAllBut(state, new Set(awaited), event.atMs)', to: "state.agenda.add('')" },
      {
        file: 'decide/decide.ts',
        from: "if (closing && !(step ? mattersToClosing(closing, step) : parsePath(path).role === 'compensation')) return 'done'",
        to: '',
      },
    ],
  },
  {
    law: 'answers_are_judged',
    without: 'the look at confidence',
    patches: [
      {
        file: 'decide/confidence.ts',
        from: 'planOf(turn.plan, step.node).confidence !== null &&',
        to: 'step.path.length > 999 &&',
      },
    ],
  },
  {
    law: 'fallbacks_in_order',
    without: 'the order of models',
    patches: [
      { file: 'decide/fallback.ts', from: 'models.indexOf(modelOf(turn, step.path)) + 1', to: 'models.length - 1' },
    ],
  },
]

/** What breaks no law of a history, but is not what the documentation says: the reference must find it. */
export const REFERENCE_MUTANTS: readonly Mutant[] = [
  {
    law: 'if',
    without: 'the meaning of a condition',
    patches: [
      { file: 'decide/graph.ts', from: 'if (condition.value) return start', to: 'if (!condition.value) return start' },
    ],
  },
  {
    law: 'until',
    without: 'the end of a repeat by its condition',
    patches: [
      {
        file: 'decide/repeat.ts',
        from: 'if (!enough && step.rounds - step.roundsBefore < repeat.max)',
        to: 'if (step.rounds - step.roundsBefore < repeat.max)',
      },
    ],
  },
  {
    law: 'on_max',
    without: 'the failure at the most iterations',
    patches: [
      {
        file: 'decide/repeat.ts',
        from: "repeat.onMax === 'fail'",
        to: "repeat.onMax !== 'complete' && repeat.max > 9",
      },
    ],
  },
  {
    law: 'previous',
    without: 'the iteration before',
    patches: [
      {
        file: 'scope.ts',
        from: 'iterationPath(at.step, at.iteration - 1)',
        to: 'iterationPath(at.step, at.iteration - 2)',
      },
    ],
  },
  {
    law: 'index',
    without: 'the innermost index',
    patches: [{ file: 'scope.ts', from: 'scope.index = index', to: 'scope.index ??= index' }],
  },
  {
    law: 'scopes',
    without: 'the instance of the block around',
    patches: [
      {
        file: 'scope.ts',
        from: 'return innerPath(prefix, name)',
        to: "return innerPath(prefix.replace(/\\[\\d+\\]/g, '[0]'), name)",
      },
    ],
  },
  {
    law: 'at_least',
    without: 'the results of a race',
    patches: [{ file: 'decide/each.ts', from: "plan.join !== 'all')", to: "plan.join === 'settled')" }],
  },
  {
    law: 'taken',
    without: 'the join that takes what nobody speaks of',
    patches: [
      {
        file: 'decide/failure-policy.ts',
        from: "return isTakenAround(turn.plan, path) || isReplacedAround(turn, path, cause) ? 'fail' : 'escalate'",
        to: "return isReplacedAround(turn, path, cause) ? 'fail' : 'escalate'",
      },
    ],
  },
  {
    law: 'result',
    without: 'an item that fails as a result',
    patches: [
      { file: 'decide/failure-policy.ts', from: "if (takesFailures(plan) && role !== 'step') return 'result'", to: '' },
    ],
  },
  {
    law: 'outward',
    without: 'what a block says of a failure inside',
    patches: [{ file: 'decide/failure-policy.ts', from: "(saidOf(turn, at) ?? 'fail')", to: "('fail' as const)" }],
  },
  {
    law: 'fallback',
    without: 'the end of a block whose fallback has begun',
    patches: [{ file: 'state/state.ts', from: "phase === 'waiting' && fallback === null", to: "phase === 'waiting'" }],
  },
  {
    law: 'fallback',
    without: 'the wait for an answer that nobody knows',
    patches: [{ file: 'decide/fallback.ts', from: "cause.class === 'ambiguous' || ", to: '' }],
  },
  {
    law: 'fallback',
    without: 'the failure that goes out to a fallback',
    patches: [
      {
        file: 'decide/failure-policy.ts',
        from: "return isTakenAround(turn.plan, path) || isReplacedAround(turn, path, cause) ? 'fail' : 'escalate'",
        to: "return isTakenAround(turn.plan, path) ? 'fail' : 'escalate'",
      },
    ],
  },
  {
    law: 'confidence',
    without: 'the meaning of confidence',
    patches: [{ file: 'decide/confidence.ts', from: 'rendered.value >= confidence.min', to: 'rendered.value >= -1' }],
  },
  {
    law: 'child',
    without: 'the failure of a child',
    patches: [
      {
        file: 'accept/child.ts',
        from: 'else settleFailure(turn, path, failureOf(child, result))',
        to: 'else finishStep(turn, step, { value: null })',
      },
    ],
  },
  {
    law: 'callback',
    without: 'the failure that is told from outside',
    patches: [
      {
        file: 'accept/callback.ts',
        from: "if (answer.status === 'failed') fail(turn, step, answer)",
        to: "if (answer.status === 'failed') complete(turn, step, record, { status: 'completed', output: { value: null } })",
      },
    ],
  },
  {
    law: 'block_output',
    without: 'the output that a block says',
    patches: [{ file: 'decide/block.ts', from: "if (body.kind !== 'block' || body.output === null)", to: 'if (body)' }],
  },
  {
    law: 'compensated',
    without: 'the status of what was undone',
    patches: [{ file: 'state/transitions.ts', from: "if (undone) undone.phase = 'compensated'", to: '' }],
  },
  {
    law: 'undo_input',
    without: 'the output that is undone',
    patches: [
      { file: 'scope.ts', from: 'return place.output ?? undoneOutput(turn, path)', to: 'return place.output ?? null' },
    ],
  },
]
