// A door over the memory store with an engine played by the test: what it is asked, and what it answers.
import type {
  Command,
  CommandOf,
  Event,
  EventBody,
  Json,
  RunStatus,
  RunView,
  ToolManifest,
  Verdict,
} from '@stepfleet/contracts'
import { hasEnded, runKeys } from '@stepfleet/contracts'
import { createLogger } from '@stepfleet/runtime'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { createMemoryStore, type MemoryStore } from '../../../store/memory-store.ts'
import type { RunHead } from '../../../store/port.ts'
import type { FleetView } from '../bodies.ts'
import type { HttpDoorDeps } from '../context.ts'
import { createHttpDoor } from '../door.ts'

export const GREET: Json = {
  name: 'greet',
  input: {
    type: 'object',
    properties: { name: { type: 'string', minLength: 1 }, mail: { type: 'string', format: 'email' } },
    required: ['name'],
    additionalProperties: false,
  },
  labels: { team: 'core' },
  steps: { hello: { value: 'Hello ${{ input.name }}' } },
}

export const ASK: Json = {
  name: 'ask',
  steps: {
    draft: {
      llm: {
        model: 'anthropic/claude-sonnet-5-5',
        prompt: 'Write',
        output: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
      },
    },
    many: {
      each: { in: ['a', 'b'] },
      llm: {
        model: 'anthropic/claude-sonnet-5-5',
        prompt: 'Write ${{ item }}',
        output: { type: 'object', required: ['n'] },
      },
    },
    go: { signal: { name: 'go', schema: { type: 'object', required: ['ok'] } } },
  },
}

/** What tokens of callbacks are signed with. */
export const SECRET = 'a-secret-of-the-fleet'

const NO_COST = { microUsd: 0, inputTokens: 0, outputTokens: 0, calls: 0, unpricedCalls: 0, scripted: false }

export interface TestDoor {
  app: FastifyInstance
  store: MemoryStore
  /** Commands sent through the mailbox, in order. */
  asked: Command[]
  /** Calls `POST` with a JSON body. */
  post(url: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** Writes events as the engine would, and the status that follows. */
  append(run: string, status: RunStatus, events: readonly EventBody[]): Promise<void>
  /** Lines of the log, parsed. */
  logged: { level: string; msg: string }[]
}

export interface DoorOptions {
  /** The engine's verdict on a command; null: no engine. */
  verdict?: (command: Command) => Verdict | null
  store?: (store: MemoryStore) => HttpDoorDeps['store']
  config?: Partial<HttpDoorDeps['config']>
  tools?: ReadonlyMap<string, ToolManifest>
  fleet?: () => Promise<FleetView>
  forceCircuit?: HttpDoorDeps['forceCircuit']
}

const startOf = async (store: MemoryStore, head: RunHead): Promise<CommandOf<'start'>> => {
  const { shard } = runKeys(head.ns, head.run)
  const entries = await store.read([{ shard, after: '0' }], 1_000, 0)
  for (const { command } of entries) if (command.type === 'start' && command.run === head.run) return command
  throw new Error(`run ${head.run} was never started`)
}

/** As small a view as the schema takes: the start, and how the run ended. */
const viewOf = async (store: MemoryStore, head: RunHead): Promise<RunView> => {
  const start = await startOf(store, head)
  const last = (await store.journal(head.ns, head.run, 1, 10_000)).at(-1)
  const value = async (payload: CommandOf<'start'>['input']): Promise<Json> =>
    'value' in payload ? payload.value : ((await store.blob(head.ns, head.run, payload.blob)) ?? null)
  const { run, ns, status, workflow, labels, createdAtMs, endedAtMs, version } = head
  return {
    ...{ id: run, namespace: ns, workflow, status, labels, createdAtMs, endedAtMs, version },
    priority: start.priority,
    input: await value(start.input),
    output: last?.type === 'run.completed' ? await value(last.output) : null,
    failure: last?.type === 'run.failed' ? last.failure : null,
    failedStep: last?.type === 'run.failed' ? (last.path ?? null) : null,
    ...{ why: null, cost: NO_COST, steps: [] },
    waste: { calls: 0, tokens: 0, microUsd: 0, lostCalls: 0 },
  }
}

const appendTo = async (store: MemoryStore, run: string, status: RunStatus, bodies: readonly EventBody[]) => {
  const head = await store.head('default', run)
  if (!head) throw new Error(`no run ${run}`)
  const { shard } = runKeys('default', run)
  const owned = await store.own(shard, 'engine-1', 60_000)
  if (!owned) throw new Error('the shard is owned')
  const events = bodies.map(
    (body, i): Event => ({
      ...body,
      ...{ seq: head.version + 1 + i, atMs: Date.now(), v: 1, actor: { kind: 'engine', id: 'engine-1' }, command: 'c' },
    }),
  )
  const result = await store.append([
    {
      ...{ ns: 'default', run, epoch: owned.epoch, engine: 'engine-1', tip: `tip-${head.version}` },
      expect: { version: head.version, tip: head.tip },
      ...{ events, status: { from: head.status, to: status }, endedAtMs: hasEnded(status) ? Date.now() : null },
      ...{ out: { set: [], remove: [] }, wakeAtMs: null, unsent: [], ack: [], receipts: [] },
    },
  ])
  if (result[0] !== 'appended') throw new Error(`append: ${result[0]}`)
}

export const openDoor = async (options: DoorOptions = {}): Promise<TestDoor> => {
  const store = createMemoryStore({ nowMs: () => Date.now() })
  const asked: Command[] = []
  const logged: TestDoor['logged'] = []
  const verdict = options.verdict ?? (() => ({ status: 'applied', seq: 7 }) as const)
  const app = createHttpDoor({
    store: options.store ? options.store(store) : store,
    mailbox: {
      ask: async (command) => {
        asked.push(command)
        return verdict(command)
      },
    },
    viewRun: async (ns, run) => {
      const head = await store.head(ns, run)
      return head ? viewOf(store, head) : null
    },
    fleet: options.fleet ?? (async () => ({ workers: [], engines: [], queues: [], circuits: [] })),
    forceCircuit: options.forceCircuit ?? (() => Promise.reject(new Error('not used here'))),
    callbackSecret: async () => SECRET,
    toolManifests: async () => options.tools ?? new Map(),
    publisher: { depth: async () => ({ waiting: 3, active: 1, oldestAgeMs: 20 }) },
    config: { ROLE: 'api', STEPFLEET_HOST: '127.0.0.1', ESCALATION_URL: undefined, env: {}, ...options.config },
    logger: createLogger('orchestrator', 'debug', { write: (line) => void logged.push(JSON.parse(line)) }),
  })
  await app.ready()
  return {
    ...{ app, store, asked, logged },
    post: (url, body, headers = {}) =>
      app.inject({
        ...{ method: 'POST', url },
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      }),
    get: (url, headers = {}) => app.inject({ method: 'GET', url, headers }),
    append: (run, status, events) => appendTo(store, run, status, events),
  }
}
