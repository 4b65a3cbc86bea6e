// The door of the client: a typed client of the REST API that runs wherever there is a fetch.
export {
  type CallbackFailure,
  type CaseFilter,
  type Client,
  type CommandAnswer,
  createClient,
  type Decision,
  type DefinitionSource,
  type FleetView,
  type Page,
  type QueueView,
  type Registered,
  type RunFilter,
  type RunResult,
  type StepAction,
  type SubmitOptions,
  type Validation,
} from './client.ts'
export { StepfleetError } from './error.ts'
export type { ClientOptions } from './transport.ts'
