// The door of the simulator: the real engine in virtual time, with mocked steps.
export { BrokenHistory, InvalidDefinition, InvalidInput, InvalidOptions, TooManyEvents } from './errors.ts'
export type {
  AgentTurn,
  ApprovalAnswer,
  CaseAnswer,
  FailWith,
  Fault,
  Mock,
  MockAnswer,
  MockCall,
  MockFunction,
  PersonAnswer,
  SimulatedSignal,
  SimulateOptions,
  Simulation,
  StepRecord,
  TimelineEntry,
} from './options.ts'
export { simulate } from './simulate.ts'
export { HostedWorkflow } from './workflows.ts'
