// The client of the REST API: one function per route, typed by the contracts.
import type {
  BudgetDefinition,
  Case,
  CircuitView,
  Edit,
  EngineInfo,
  Event,
  Failure,
  FailureClass,
  FailureCode,
  ForceCircuit,
  Json,
  ProblemError,
  Resolution,
  RunBudget,
  RunStatus,
  RunSummary,
  RunView,
  SubmitRun,
  Verdict,
  WorkerInfo,
} from '@stepfleet/contracts'
import { type Answer, type ClientOptions, request, segment } from './transport.ts'

export interface Page<T> {
  items: T[]
  /** Opaque; null: this was the last page. */
  cursor: string | null
}

export interface RunFilter {
  status?: RunStatus
  workflow?: string
  /** All must match. */
  labels?: Record<string, string>
  /** RFC 3339 time, or epoch milliseconds. */
  since?: string
  until?: string
  /** 1 to 200; 50 without it. */
  limit?: number
  cursor?: string
}

export interface Decision {
  /** Who decides; journaled. The server writes `api` without it. */
  by?: string
  /** Why; journaled. */
  reason?: string
}
/** `queued`: no engine answered in time; the command waits in the run's mailbox and will be judged. */
export type CommandAnswer = { applied: true; seq: number } | { queued: true }
/** The end of a run, or its status while it goes on. */
export type RunResult =
  | { status: 'completed'; output: Json }
  | { status: 'failed' | 'cancelled'; failure: Failure | null; failedStep: string | null }
  | { status: Exclude<RunStatus, 'completed' | 'failed' | 'cancelled'> }
export type StepAction =
  | (Decision & { action: 'retry'; edit?: Edit })
  | (Decision & { action: 'skip' })
  | (Decision & { action: 'override'; output: Json })
  | (Decision & { action: 'approve'; edits?: Json })
  | (Decision & { action: 'reject' })
  /** Of an agent that has a budget of its own. */
  | (Decision & { action: 'budget' } & RunBudget)

/** Why the attempt of a callback failed. Name `retryable` or `class`, or neither: then it is that of the code. */
export interface CallbackFailure {
  message: string
  /** `tool_failed` without it. */
  code?: FailureCode
  retryable?: boolean
  class?: FailureClass
  details?: Json
}

export interface SubmitOptions {
  /** Waits this long (at most `60s`) for the end; the status tells whether it came. */
  wait?: string
  /** A repeat under the same key answers with the same run. */
  idempotencyKey?: string
}

export interface QueueView {
  name: string
  waiting: number
  active: number
  oldestAgeMs: number | null
}
export interface Liveness {
  /** Whether its beat moved while the server looked; null: it does not beat. */
  alive: boolean | null
  lastBeatAgoMs: number | null
}
export interface FleetView {
  workers: (WorkerInfo & Liveness)[]
  engines: (EngineInfo & Liveness)[]
  queues: QueueView[]
  /** Those that live workers use, and those that the fleet has not closed or an operator holds. */
  circuits: CircuitView[]
}

export interface Validation {
  valid: boolean
  errors: ProblemError[]
  warnings: ProblemError[]
}
export interface Registered {
  name: string
  version: number
  hash: string
  /** False: the newest version was the same already. */
  created: boolean
  warnings: ProblemError[]
}

export interface CaseFilter {
  status?: 'open' | 'closed' | 'all'
  run?: string
  limit?: number
  cursor?: string
}

/** A definition as text (YAML, or JSON, which is YAML too) or as a value. */
export type DefinitionSource = string | { [key: string]: Json }

export interface Client {
  readonly url: string
  /** The run: new, or the one that was there already under this id or key. */
  submit(run: SubmitRun, options?: SubmitOptions): Promise<RunSummary>
  run(id: string): Promise<RunView>
  runs(filter?: RunFilter): Promise<Page<RunSummary>>
  /** Events from a sequence number (default 1) on, oldest first; `next` is the `from` of the next page. */
  journal(id: string, options?: { from?: number; limit?: number }): Promise<{ events: Event[]; next: number | null }>
  /** Waits (default and at most `60s`) for the end; the status tells whether it came. */
  result(id: string, wait?: string): Promise<RunResult>
  cancel(id: string, decision?: Decision): Promise<CommandAnswer>
  pause(id: string, decision?: Decision): Promise<CommandAnswer>
  resume(id: string, decision?: Decision): Promise<CommandAnswer>
  /** New caps of the run; steps that the old ones stopped are tried again. */
  budget(id: string, budget: BudgetDefinition, decision?: Decision): Promise<CommandAnswer>
  signal(id: string, name: string, payload: Json): Promise<CommandAnswer>
  step(id: string, path: string, action: StepAction): Promise<CommandAnswer>
  registerWorkflow(definition: DefinitionSource): Promise<Registered>
  validateWorkflow(definition: DefinitionSource): Promise<Validation>
  workflows(): Promise<{ name: string; latest: number }[]>
  fleet(): Promise<FleetView>
  /** Holds a circuit open or closed for the whole fleet; with `force: null` lets go of it. */
  forceCircuit(dependency: string, force: ForceCircuit): Promise<CircuitView>
  /** Answers to callbacks. Who has the token of an attempt may answer it, once; it needs no namespace. */
  tasks: {
    /** `output` is that of the step. */
    complete(token: string, output: Json): Promise<CommandAnswer>
    fail(token: string, failure: CallbackFailure): Promise<CommandAnswer>
    /** The timeout of the attempt starts anew. */
    heartbeat(token: string): Promise<CommandAnswer>
  }
  escalations: {
    /** Newest first; `open` without a status. */
    list(filter?: CaseFilter): Promise<Page<Case>>
    show(id: string): Promise<Case>
    /** `verdict` null: no engine answered in time; the decision waits in the run's mailbox. */
    resolve(id: string, resolution: Resolution): Promise<{ case: Case; verdict: Verdict | null }>
  }
}

const dataOf = <T>(answer: Answer): T => answer.body as T

const textOf = (definition: DefinitionSource): { text: string; type: string } =>
  typeof definition === 'string'
    ? { text: definition, type: 'application/yaml' }
    : { text: JSON.stringify(definition), type: 'application/json' }

const labelQuery = (labels: Record<string, string> = {}): string[] =>
  Object.entries(labels).map(([key, value]) => `${key}:${value}`)

/** Options of a decision as JSON: absent stays absent. */
const json = (value: object): Json => JSON.parse(JSON.stringify(value))

const runRoutes = (options: ClientOptions) => {
  const at = (id: string): string => `/runs/${segment(id)}`
  const command = async (path: string, body: Json): Promise<CommandAnswer> =>
    dataOf(await request(options, { method: 'POST', path, body }))
  return {
    submit: async (run: SubmitRun, { wait, idempotencyKey }: SubmitOptions = {}): Promise<RunSummary> =>
      dataOf(
        await request(options, {
          method: 'POST',
          path: '/runs',
          query: { wait },
          body: json(run),
          ...(idempotencyKey ? { headers: { 'idempotency-key': idempotencyKey } } : {}),
        }),
      ),
    run: async (id: string): Promise<RunView> => dataOf(await request(options, { method: 'GET', path: at(id) })),
    runs: async ({ labels, ...filter }: RunFilter = {}): Promise<Page<RunSummary>> =>
      dataOf(await request(options, { method: 'GET', path: '/runs', query: { ...filter, label: labelQuery(labels) } })),
    result: async (id: string, wait = '60s'): Promise<RunResult> =>
      dataOf(await request(options, { method: 'GET', path: `${at(id)}/result`, query: { wait } })),
    cancel: (id: string, decision: Decision = {}) => command(`${at(id)}/cancel`, json(decision)),
    pause: (id: string, decision: Decision = {}) => command(`${at(id)}/pause`, json(decision)),
    resume: (id: string, decision: Decision = {}) => command(`${at(id)}/resume`, json(decision)),
    budget: (id: string, budget: BudgetDefinition, decision: Decision = {}) =>
      command(`${at(id)}/budget`, json({ ...budget, ...decision })),
    signal: (id: string, name: string, payload: Json) => command(`${at(id)}/signals/${segment(name)}`, payload),
    step: (id: string, path: string, { action, ...body }: StepAction) =>
      command(`${at(id)}/steps/${segment(path)}/${action}`, json(body)),
  }
}

const journalRoutes = (options: ClientOptions) => ({
  journal: async (
    id: string,
    query: { from?: number; limit?: number } = {},
  ): Promise<{ events: Event[]; next: number | null }> =>
    dataOf(await request(options, { method: 'GET', path: `/runs/${segment(id)}/journal`, query })),
})

const workflowRoutes = (options: ClientOptions) => ({
  registerWorkflow: async (definition: DefinitionSource): Promise<Registered> =>
    dataOf(await request(options, { method: 'POST', path: '/workflows', text: textOf(definition) })),
  validateWorkflow: async (definition: DefinitionSource): Promise<Validation> =>
    dataOf(await request(options, { method: 'POST', path: '/workflows/validate', text: textOf(definition) })),
  workflows: async (): Promise<{ name: string; latest: number }[]> =>
    dataOf<{ items: { name: string; latest: number }[] }>(await request(options, { method: 'GET', path: '/workflows' }))
      .items,
})

const taskRoutes = (options: ClientOptions): Client['tasks'] => {
  const answer = async (token: string, verb: string, body: Json): Promise<CommandAnswer> =>
    dataOf(await request(options, { method: 'POST', path: `/tasks/${segment(token)}/${verb}`, body }))
  return {
    complete: (token, output) => answer(token, 'complete', output),
    fail: (token, failure) => answer(token, 'fail', json(failure)),
    heartbeat: (token) => answer(token, 'heartbeat', {}),
  }
}

const escalationRoutes = (options: ClientOptions): Client['escalations'] => ({
  list: async (filter = {}) =>
    dataOf(await request(options, { method: 'GET', path: '/escalations', query: { ...filter } })),
  show: async (id) => dataOf(await request(options, { method: 'GET', path: `/escalations/${segment(id)}` })),
  resolve: async (id, resolution) =>
    dataOf(
      await request(options, { method: 'POST', path: `/escalations/${segment(id)}/resolve`, body: json(resolution) }),
    ),
})

/** Connects to nothing yet: each call is one request. Every call throws StepfleetError. */
export const createClient = (options: ClientOptions): Client => ({
  url: options.url,
  ...runRoutes(options),
  ...journalRoutes(options),
  ...workflowRoutes(options),
  fleet: async () => dataOf(await request(options, { method: 'GET', path: '/fleet' })),
  forceCircuit: async (dependency, force) =>
    dataOf(
      await request(options, { method: 'POST', path: `/fleet/circuits/${segment(dependency)}`, body: json(force) }),
    ),
  tasks: taskRoutes(options),
  escalations: escalationRoutes(options),
})
