// What a simulation is asked for, and what it answers.
import type { Workflow } from '@stepfleet/code-workflows'
import type {
  Cost,
  Definition,
  Edit,
  Event,
  Failure,
  FailureCode,
  Json,
  RunStatus,
  StepStatus,
  ToolManifest,
} from '@stepfleet/contracts'
import type { HostedWorkflow } from './workflows.ts'

/** What a mock function is told. */
export interface MockCall {
  /** Where it runs: `search[3]`, `work/turn-2/llm`, `child/draft` for a step of the child workflow that `child` runs. */
  path: string
  /** Id of the step in the definition: `search`, `block/inner`. */
  step: string
  /** From 1. */
  attempt: number
  /** As the worker would get it: model, messages and so on of a model call, `with` of a tool, the input of a child. */
  input: Json
  /** Number of the innermost `each` item it stands in, from 0. */
  index?: number
  /** Turn of an agent, from 1. */
  turn?: number
}

/** A failure by its code, or with more said of it. */
export type FailWith = FailureCode | (Partial<Failure> & { code: FailureCode })

/** One model call of an agent: tools to use, or the answer that ends it. */
export type AgentTurn =
  | { toolUses: { name: string; input?: Json; id?: string }[]; text?: string }
  | { text: string }
  | { fail: FailWith }

export type MockFunction = (call: MockCall) => MockAnswer | Promise<MockAnswer>
/** What a function gives is the output as it is; only a known failure, and tool uses of an agent, are taken as such. */
export type MockAnswer = Json | { fail: FailWith } | { toolUses: { name: string; input?: Json; id?: string }[] }

/**
 * What stands in for a worker.
 *
 * - JSON: the output. Of a function too.
 * - `{fail}`: the attempt fails. `{sequence}`: one after another, call by call; the last one stays.
 * - `{turns}`: of an agent, the turns of its conversation.
 */
export type Mock = Json | MockFunction | { fail: FailWith } | { sequence: Mock[] } | { turns: (AgentTurn | Json)[] }

/** What goes wrong. `step` is named as mocks are. */
export type Fault =
  /** `times` attempts fail (default 1) at each path, or the attempt of that number. */
  | { fail: { step: string; code: FailureCode; message?: string; attempt?: number; times?: number } }
  /** The worker dies halfway, `times` times (default 1) at each path. */
  | { loseWorker: { step: string; times?: number } }
  /** The engine dies when the step has ended: its state is made again from the journal, and so is what had to leave. */
  | { crashAfter: string }
  /** The answer of the worker arrives twice. */
  | { deliverTwice: string }

/** What a person answers to an approval or a gate. `after` is a duration, default at once. */
export interface ApprovalAnswer {
  approved: boolean
  by?: string
  reason?: string
  edits?: Json
  after?: string
}

/** What a person does about an escalated step. */
export type CaseAnswer = { by?: string; reason?: string; after?: string } & (
  | { action: 'retry'; edit?: Edit }
  | { action: 'skip' }
  | { action: 'override'; output: Json }
  | { action: 'fail' }
)
export type PersonAnswer = ApprovalAnswer | CaseAnswer

export interface SimulatedSignal {
  name: string
  payload: Json
  /** Duration from the start, default at once. */
  after?: string
  /** The `run` step whose child it is for; default: the workflow itself. */
  to?: string
}

export interface SimulateOptions {
  input?: Json
  /** By step id (`block/inner`), by path (`search[3]`, `work/turn-1/tool-0`), or `tool:<name>`, `model:<name>`. */
  mocks?: Record<string, Mock>
  faults?: readonly Fault[]
  /** Child workflows by `name` or `name@version`. A child that is neither here nor mocked is refused. */
  workflows?: Record<string, Definition | Workflow | HostedWorkflow>
  /** By step id or path. A list: one answer after another, at each path. Without an answer the run waits. */
  people?: Record<string, PersonAnswer | readonly PersonAnswer[]>
  signals?: readonly SimulatedSignal[]
  /** How long a step's attempt takes, named as mocks are; default: a model call 2 s, a tool 200 ms. */
  durations?: Record<string, string>
  /** Default: the first moment of 2026, UTC. */
  startAtMs?: number
  /** Another seed gives other ids, and with them other retry delays. */
  seed?: number
  /** Module tools as the workers would publish them; a tool that is not here is taken to be idempotent. */
  tools?: readonly ToolManifest[]
  /** What `${{ env.X }}` gives. */
  env?: Record<string, string>
  /** Events of all runs together; default 100,000. */
  maxEvents?: number
}

export interface StepRecord {
  path: string
  /** Id of the step in its definition. */
  step: string
  kind: string
  status: StepStatus
  attempts: number
  output: Json
  failure: Failure | null
  startedAtMs: number | null
  endedAtMs: number | null
  /** It was taken from the cache. */
  cached: boolean
}

export interface TimelineEntry {
  atMs: number
  sinceStartMs: number
  /** Empty: the run itself. */
  path: string
  what: string
  detail: string
}

export interface Simulation {
  status: RunStatus
  output: Json
  failure: Failure | null
  /** In the order of the definition, each with its parts behind it; those of child workflows as `<step>/<their path>`. */
  steps: StepRecord[]
  timeline: TimelineEntry[]
  /** Ids of the steps that ran, in the order they began; each once. */
  path: string[]
  /** The journal. Those of child workflows are not in it. */
  events: Event[]
  /** Of all runs together, by characters and prices: an estimate. */
  cost: Cost & { estimated: true }
  /** From the start to the end, or to the last thing that happened. */
  virtualMs: number
  /** What keeps the run from going on, when it has not ended. */
  waiting: { path: string; why: string }[]
  /** Steps that ran without a mock, on a made-up answer, and `tool:<name>` where no manifest says what it is. */
  assumed: string[]
  /** Options that nothing came of: `mocks.<name>`, `faults[0]`, `people.<name>`. */
  unused: string[]
}
