// The public package: what users of Stepfleet import.
export { type Client, type ClientOptions, createClient, StepfleetError } from '@stepfleet/client'
export {
  DIRECTIVES,
  EFFECT_DIRECTIVES,
  type EffectEntry,
  type LedgerEntry,
  type Limit,
  type LimitReport,
  type Outage,
  type Rule,
  type Script,
  type ScriptedModel,
  type ScriptedModelOptions,
  type ScriptRequest,
  startScriptedModel,
} from '@stepfleet/scripted-model'
export {
  type AgentTurn,
  type ApprovalAnswer,
  BrokenHistory,
  type CaseAnswer,
  type FailWith,
  type Fault,
  InvalidDefinition,
  InvalidInput,
  InvalidOptions,
  type Mock,
  type MockAnswer,
  type MockCall,
  type MockFunction,
  type PersonAnswer,
  type SimulatedSignal,
  type SimulateOptions,
  type Simulation,
  type StepRecord,
  simulate,
  type TimelineEntry,
  TooManyEvents,
} from '@stepfleet/simulator'
export {
  type Checked,
  defineTool,
  isTool,
  type JsonObject,
  type Tool,
  type ToolCheck,
  type ToolContext,
  type ToolDefinition,
  type ToolLog,
  type ToolSchema,
} from './tool.ts'
export { isToolError, ToolError, type ToolErrorOptions } from './tool-error.ts'
export {
  defineWorkflow,
  type InputSchema,
  isWorkflow,
  type Workflow,
  type WorkflowOptions,
} from './workflow/define-workflow.ts'
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
} from './workflow/run.ts'
export { WORKFLOW_RUNTIME } from './workflow/runtime.ts'
export { isStepError, StepError } from './workflow/step-error.ts'
