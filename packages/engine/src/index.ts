// The door of the engine: pure, deterministic, no clock, no I/O.
export { accept } from './accept/accept.ts'
export { condemn } from './accept/condemn.ts'
export type { Observations } from './accept/wake.ts'
export { decide } from './decide/decide.ts'
export { unit } from './decide/retry.ts'
export { CHILD_DEPTH } from './decide/run.ts'
export { canonicalJson } from './definition/canonical.ts'
export { checkAsked } from './definition/check-asked.ts'
export { compareAsk } from './definition/compare-ask.ts'
export { compile } from './definition/compile.ts'
export { compileCode } from './definition/compile-code.ts'
export type * from './definition/plan.ts'
export { type Validation, validate } from './definition/validate.ts'
export { checkLaws, LAWS, type Law, type Violation } from './laws.ts'
export { BudgetLedger } from './ledger.ts'
export { type ChildStart, childEnded } from './messages/children.ts'
export { type Job, type Message, messagesOf, unusedAnswers } from './messages/messages.ts'
export { attemptViews, kindOf } from './messages/notices.ts'
export { fold } from './state/fold.ts'
export {
  innerPath,
  isInside,
  itemPath,
  iterationPath,
  parsePath,
  toolPath,
  turnPath,
  undoPath,
} from './state/paths.ts'
export { fromSnapshot, revive, SNAPSHOT_VERSION, toSnapshot } from './state/snapshot.ts'
export {
  addUsage,
  createState,
  emptyCost,
  hasCompleted,
  isComposite,
  isEnded,
  lastAttempt,
  openCase,
  type RunState,
  runHasEnded,
  type StepState,
} from './state/state.ts'
export { dueChecks, wakeAt } from './state/timers.ts'
export {
  type Answer,
  type Ask,
  type BudgetCap,
  type BudgetOver,
  type CodeAnswer,
  type CodeQuestion,
  createTurn,
  type Spending,
  type Turn,
  type Values,
} from './turn.ts'
