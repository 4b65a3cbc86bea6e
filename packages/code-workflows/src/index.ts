// The door of code workflows: what users write them with, how a file becomes a bundle, and how their code is run.
export { type Bundle, bundleWorkflow } from './bundle/bundle.ts'
export {
  defineWorkflow,
  type InputSchema,
  isWorkflow,
  type Workflow,
  type WorkflowOptions,
} from './define/define-workflow.ts'
export type {
  AgentStep,
  AnyStep,
  Approval,
  ApprovalStep,
  ChildStep,
  LlmStep,
  Run,
  SignalStep,
  ToolStep,
  WaitFor,
} from './define/run.ts'
export { isStepError, StepError } from './define/step-error.ts'
export { answerCode, type CodeOf, learnAsked } from './drive/answer-code.ts'
export { type AdvanceCall, type Advanced, type CodeHost, type CodeHostOptions, ThreadedCodeHost } from './host/host.ts'
export { LocalCodeHost } from './host/local-host.ts'
export type { BundledWorkflow, Described, EndedStep } from './host/protocol.ts'
