// The REST API as its callers see it: plain HTTP and the shapes of its answers that the tests look at.
import { eventually, PATIENCE_MS } from './patience.ts'

export interface JournalEvent {
  seq: number
  atMs: number
  type: string
  path?: string
  attempt?: number
  delivery?: number
  /** Of `step.lost`. */
  cause?: string
  case?: string
  reason?: string
  effect?: string
  because?: string
  action?: string
  by?: string
  name?: string
  worker?: string
  failure?: { code: string; class: string; message: string }
  output?: { value?: unknown }
  retryAtMs?: number
  usage?: { model: string; inputTokens: number; outputTokens: number }
  to?: { model?: string; step?: string }
}

export interface StepView {
  path: string
  status: string
  worker: string | null
  output: unknown
  case: string | null
  failure: { code: string } | null
  servedBy: string | null
  cost: { microUsd: number; inputTokens: number; outputTokens: number; calls: number }
  why: string | null
  callback?: { token: string; sinceMs: number; untilMs: number }
}

export interface RunView {
  id: string
  status: string
  output: unknown
  failure: { code: string } | null
  cost: { microUsd: number; inputTokens: number; outputTokens: number; calls: number }
  steps: StepView[]
}

export interface CaseView {
  id: string
  run: string
  path: string
  reason: string
  status: string
  actions: string[]
}

export interface WorkerView {
  id: string
  pid: number
  tasks: string[]
  circuits?: Record<string, string>
  alive: boolean | null
}

export interface FleetView {
  workers: WorkerView[]
  engines: { id: string; pid: number; shards: number[]; alive: boolean | null }[]
}

export interface Answer<T> {
  status: number
  body: T
}

export type Definition = { name: string; steps: Record<string, unknown>; [field: string]: unknown }

interface Call {
  method?: 'GET' | 'POST'
  path: string
  body?: unknown
  headers?: Record<string, string>
  timeoutMs?: number
}

const ENDED = new Set(['completed', 'failed', 'cancelled'])
const PAGE = 1_000

export class Api {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Rejects when nobody answers; any answer, also an error, is an answer. */
  async call<T>({ method = 'GET', path, body, headers = {}, timeoutMs = 30_000 }: Call): Promise<Answer<T>> {
    const response = await fetch(`${this.url}/v1${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    // the parsing edge: what the tests look at they compare
    return { status: response.status, body: (await response.json()) as T }
  }

  post<T = unknown>(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>> {
    return this.call<T>({ method: 'POST', path, body, ...(headers ? { headers } : {}) })
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.call<T>({ path })
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`)
    return body
  }

  submit(definition: Definition, more: Record<string, unknown> = {}): Promise<Answer<{ id: string; code?: string }>> {
    return this.post('/runs', { definition, ...more })
  }

  /** Submits and answers the run's id; throws unless it was accepted. */
  async accepted(definition: Definition, more: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await this.submit(definition, more)
    if (status !== 200 && status !== 202) throw new Error(`refused: ${status} ${JSON.stringify(body)}`)
    return body.id
  }

  run(id: string): Promise<RunView> {
    return this.get(`/runs/${id}`)
  }

  async step(id: string, path: string): Promise<StepView | undefined> {
    return (await this.run(id)).steps.find((step) => step.path === path)
  }

  fleet(): Promise<FleetView> {
    return this.get('/fleet')
  }

  depth(queue: string): Promise<{ depth: number; active: number }> {
    return this.get(`/queues/${queue}/depth`)
  }

  async runsWithLabel(label: string): Promise<{ id: string; status: string }[]> {
    const { items } = await this.get<{ items: { id: string; status: string }[] }>(`/runs?label=${label}&limit=200`)
    return items
  }

  async cases(run: string): Promise<CaseView[]> {
    const { items } = await this.get<{ items: CaseView[] }>(`/escalations?run=${run}&status=all`)
    return items
  }

  /** The whole history. */
  async journal(id: string): Promise<JournalEvent[]> {
    const events: JournalEvent[] = []
    let from: number | null = 1
    while (from !== null) {
      const page: { events: JournalEvent[]; next: number | null } = await this.get(
        `/runs/${id}/journal?from=${from}&limit=${PAGE}`,
      )
      events.push(...page.events)
      from = page.next
    }
    return events
  }

  /** Waits until the run has ended, through times in which the API is away. Throws at once when it waits for a person. */
  async ended(id: string, timeoutMs = PATIENCE_MS): Promise<RunView> {
    const status = await eventually(
      async () => {
        const { body } = await this.call<{ status: string }>({ path: `/runs/${id}/result?wait=5s` })
        return ENDED.has(body.status) || body.status === 'escalated' ? body.status : null
      },
      { timeoutMs, everyMs: 50, what: `run ${id} to end` },
    ).catch((error: Error) => error.message)
    const run = await this.run(id)
    if (ENDED.has(status)) return run
    const open = run.steps.filter((step) => !ENDED.has(step.status)).map((step) => `${step.path}: ${step.status}`)
    throw new Error(`run ${id} has not ended (${status}); ${open.slice(-5).join(', ')}`)
  }

  /** Waits until a step is in a status. */
  stepIs(id: string, path: string, status: string, timeoutMs = PATIENCE_MS): Promise<StepView> {
    return eventually(
      async () => {
        const step = await this.step(id, path)
        return step?.status === status ? step : null
      },
      { timeoutMs, everyMs: 40, what: `${path} of ${id} to be ${status}` },
    )
  }
}
