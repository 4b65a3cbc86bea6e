// Measures a run of 100,000 steps: `npm run bench:wide [-- --outer 10000 --inner 10 --fsync everysec]`.
//
// One run: `each` over 10,000 items of a block, which holds an `each` over 10 items of a no-op tool. Seconds from the
// submit until the run has completed; the largest resident memory of each process, looked at every 250 ms; the size of the
// newest snapshot; and how long a process that knows nothing of the run takes to load its state from that snapshot and
// the journal after it: in the middle of the run (the orchestrator is killed for it, and goes on) and at its end.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { runKeys, SHARDS } from '@stepfleet/contracts'
import { Redis } from 'ioredis'
import { endOnSignals, type Fleet, REPOSITORY, startFleet } from './lib/fleet.ts'
import { createApi, expectOk, pause, register, until } from './lib/http.ts'
import { redisVersion, writeResults } from './lib/results.ts'

const { values } = parseArgs({
  options: {
    outer: { type: 'string', default: '10000' },
    inner: { type: 'string', default: '10' },
    fsync: { type: 'string', default: 'everysec' },
    slots: { type: 'string', default: '50' },
  },
})
const OUTER = Number(values.outer)
const INNER = Number(values.inner)
const RUN = 'wide'
const LOADS = 5
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const DEFINITION = {
  name: 'wide',
  input: { type: 'object' },
  steps: {
    outer: {
      each: { in: '${{ input.outer }}', as: 'document' },
      steps: {
        inner: {
          each: { in: '${{ input.inner }}' },
          tool: 'noop',
          with: { go: '${{ document * 10 + item }}' },
        },
      },
      output: '${{ size(steps.inner.output) }}',
    },
  },
  output: '${{ size(steps.outer.output) }}',
}

const residentMb = (pid: number): number => {
  try {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kb ?? 0) / 1024
  } catch {
    return 0
  }
}

/** Looks at the memory of all processes until it is stopped; the largest of each. */
const watchMemory = (fleet: Fleet): (() => Record<string, number>) => {
  const peaks: Record<string, number> = {}
  const timer = setInterval(() => {
    for (const [name, pid] of Object.entries(fleet.pids())) {
      peaks[name] = Math.max(peaks[name] ?? 0, Math.round(residentMb(pid)))
    }
  }, 250)
  return () => {
    clearInterval(timer)
    return peaks
  }
}

interface Loaded {
  state: { version: number; steps: Map<string, unknown> }
  snapshotSeq: number
}

/** Loads the run as an engine does that has just taken its shard. */
const load = async (redis: Redis) => {
  // the built modules of the service: nothing of it is exported
  const built = (path: string) => import(pathToFileURL(join(REPOSITORY, 'services/orchestrator/dist', path)).href)
  const { createRedisStore } = await built('store/redis-store.js')
  const { Plans } = await built('drive/plans.js')
  const { loadRun } = await built('drive/runs.js')
  const store = createRedisStore(redis)
  const ms: number[] = []
  let last: Loaded | null = null
  for (let at = 0; at < LOADS; at += 1) {
    const startedMs = performance.now()
    last = await loadRun({ store, plans: new Plans(store) }, 'default', RUN)
    ms.push(performance.now() - startedMs)
  }
  await store.close()
  if (!last) throw new Error('there is no such run')
  return {
    firstMs: Math.round(ms[0] ?? 0),
    medianMs: Math.round(ms.sort((a, b) => a - b)[Math.floor(LOADS / 2)] ?? 0),
    events: last.state.version,
    tailEvents: last.state.version - last.snapshotSeq,
    records: last.state.steps.size,
  }
}

const main = async (): Promise<boolean> => {
  const dir = mkdtempSync(join(tmpdir(), 'stepfleet-wide-'))
  const fleet = await startFleet({
    dir,
    appendfsync: values.fsync === 'always' ? 'always' : 'everysec',
    roles: 'all',
    toolWorkers: 1,
    slots: Number(values.slots),
    tools: [join(REPOSITORY, 'examples/tools/noop.mjs')],
  })
  endOnSignals()
  const api = createApi(fleet.url)
  const redis = new Redis(fleet.redis.url)
  try {
    await register(api, DEFINITION)
    const memory = watchMemory(fleet)
    const startedMs = performance.now()
    const input = { outer: range(OUTER), inner: range(INNER) }
    expectOk(await api.post('/v1/runs', { workflow: 'wide', id: RUN, input }))
    const keys = runKeys('default', RUN, SHARDS)
    const version = async () => Number((await redis.hget(keys.head, 'version')) ?? 0)
    // about two and a half facts for each of the steps
    await until('half of the run', 600_000, async () => (await version()) > OUTER * INNER)
    await fleet.kill('orchestrator')
    const middle = await load(redis)
    fleet.start('orchestrator')
    await fleet.ready('orchestrator')
    await until('its end', 1_200_000, async () => (await redis.hget(keys.head, 'status')) === 'completed')
    const seconds = (performance.now() - startedMs) / 1_000
    const end = await load(redis)
    const snapshotBytes = await redis.strlen(keys.snapshot)
    await pause(300)
    const result = await api.get<{ output: unknown }>(`/v1/runs/${RUN}/result`)
    const ok = result.body.output === OUTER
    const figures = { steps: OUTER * INNER, seconds, middle, end, snapshotBytes, peakMb: memory() }
    console.log(JSON.stringify({ ok, ...figures }, null, 2))
    writeResults('wide', await redisVersion(fleet.redis.url), { ok, fsync: values.fsync, ...figures })
    return ok
  } finally {
    redis.disconnect()
    api.close()
    await fleet.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

process.exitCode = (await main()) ? 0 : 1
