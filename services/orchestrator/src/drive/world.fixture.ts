// A whole engine in one process: the memory store, a publisher in memory, and a worker that answers what is sent.
import { createHash } from 'node:crypto'
import { type CodeHost, ThreadedCodeHost } from '@stepfleet/code-workflows'
import { type CommandOf, type Definition, type Json, type Task, taskSchema } from '@stepfleet/contracts'
import { canonicalJson } from '@stepfleet/engine'
import type { Publisher, RedisClient } from '@stepfleet/runtime'
import { createLogger } from '@stepfleet/runtime'
import { createSchemaChecks } from '@stepfleet/schemas'
import { createMemoryBudgets } from '../budgets/memory-budgets.ts'
import type { FleetBudgets } from '../budgets/port.ts'
import { createMemoryLimits } from '../limits/memory-limits.ts'
import type { FleetLimits } from '../limits/port.ts'
import { createMemoryStore, type MemoryStore } from '../store/memory-store.ts'
import { createDrivenBudgets } from './budgets.ts'
import { Engine } from './engine.ts'
import { createDrivenLimits } from './limits.ts'
import { createOutside } from './outside.ts'

const NS = 'default'
/** How long a place is held before its run is looked at; short, so that a test need not wait. */
const LONG_HELD_MS = 100

/** The hashes of the fleet, in memory; only what the engine uses of Redis itself. */
const createHashes = (): RedisClient => {
  const hashes = new Map<string, Map<string, string>>()
  const of = (key: string): Map<string, string> => {
    const known = hashes.get(key) ?? new Map<string, string>()
    hashes.set(key, known)
    return known
  }
  const client = {
    hgetall: async (key: string) => Object.fromEntries(of(key)),
    hset: async (key: string, field: string, value: string) => Number(of(key).set(field, value).size),
    hdel: async (key: string, field: string) => Number(of(key).delete(field)),
    hincrby: async (key: string, field: string, by: number) => {
      const next = Number(of(key).get(field) ?? 0) + by
      of(key).set(field, String(next))
      return next
    },
  }
  // a test's stand-in for the five commands above
  return client as unknown as RedisClient
}

export interface World {
  store: MemoryStore
  hashes: RedisClient
  limits: FleetLimits
  budgets: FleetBudgets
  /** Tasks that were published and not yet taken, in order. */
  queue: Task[]
  published: string[]
  /** Makes the next publications fail. */
  failPublish(times: number): void
  startEngine(id?: string, store?: MemoryStore): Promise<Engine>
  submit(definition: Definition, run: string, input?: Json): Promise<void>
  /** Claims and answers what waits, until nothing does. */
  work(answer?: (task: Task) => Json): Promise<number>
  stop(): Promise<void>
}

const logger = createLogger('test', 'silent')

/** `code`: where the code of workflows runs; the world closes it. A thread is started only by a workflow that is code. */
export const createWorld = (code: CodeHost = new ThreadedCodeHost({ logger })): World => {
  const store = createMemoryStore({ nowMs: () => Date.now() })
  const hashes = createHashes()
  const limits = createMemoryLimits(() => Date.now())
  const budgets = createMemoryBudgets(() => Date.now())
  const queue: Task[] = []
  const published: string[] = []
  const engines: Engine[] = []
  let failures = 0
  const publisher: Publisher = {
    publish: async (items) => {
      if (failures > 0) {
        failures -= 1
        throw new Error('the queue is away')
      }
      for (const { id, payload } of items) {
        published.push(id)
        const task = taskSchema.safeParse(payload)
        if (task.success) queue.push(task.data)
      }
    },
    findJob: async (_queue, id) => (published.includes(id) ? 'waiting' : null),
    depth: async () => ({ waiting: queue.length, active: 0, oldestAgeMs: null }),
    close: async () => {},
  }
  return {
    store,
    hashes,
    limits,
    budgets,
    queue,
    published,
    failPublish: (times) => {
      failures = times
    },
    startEngine: async (id = `e_${engines.length}`, over = store) => {
      const engine = new Engine({
        id,
        version: 'test',
        store: over,
        redis: hashes,
        publisher,
        ordered: true,
        outside: createOutside(
          { store: over, schemas: createSchemaChecks() },
          createDrivenLimits({ limits, store: over, engine: id, logger, longHeldMs: LONG_HELD_MS }),
          createDrivenBudgets({ budgets, store: over, engine: id, perDay: null }),
        ),
        code,
        logger,
        cacheBytes: 1e7,
      })
      engines.push(engine)
      await engine.start()
      return engine
    },
    submit: async (definition, run, input = null) => {
      const text = canonicalJson(definition as Json)
      const hash = createHash('sha256').update(text).digest('hex')
      await store.keep(NS, hash, text)
      const command: CommandOf<'start'> = {
        type: 'start',
        id: `start.${run}`,
        ns: NS,
        run,
        by: { kind: 'caller', id: 'test' },
        workflow: { name: definition.name, version: null, hash },
        input: { value: input },
        labels: {},
        priority: 3,
        env: {},
      }
      await store.submit({ command, fingerprint: run, tip: `tip.${run}`, onConflict: 'reject' })
    },
    work: async (answer = () => 'done') => {
      let done = 0
      for (let task = queue.shift(); task; task = queue.shift()) {
        const token = `t${done}-${task.path}-${Math.random()}`
        const claim = await store.claims.claim(task, 'w_1', token)
        if (claim.status === 'refused') continue
        const { path, attempt, delivery } = task
        await store.claims.report(task, token, {
          type: 'outcome',
          id: `o-${token}`,
          ns: NS,
          run: task.run,
          by: { kind: 'worker', id: 'w_1' },
          outcome: {
            path,
            attempt,
            delivery,
            worker: 'w_1',
            claimedAtMs: claim.atMs,
            durationMs: 0,
            result: { status: 'done', output: { value: answer(task) } },
          },
        })
        done += 1
      }
      return done
    },
    stop: async () => {
      await Promise.all(engines.map((engine) => engine.stop()))
      await code.close()
    },
  }
}
