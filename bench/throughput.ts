// Measures what a step costs: `npm run bench [-- --fsync always --rounds 3 --workers 1,2 --roles all,split --profile DIR]`.
//
// W1   200 runs of 10 no-op tool steps in a chain (each takes the output of the one before), 50 in flight: steps/s, from
//      the first submit until the last run's end is seen in the API.
// W1b  one run of 50 such steps, nothing else going on: the time between the calls of two consecutive tools, both taken
//      by the clock of the one tool-worker (each call of `tell` carries it): hand-off p50 and p99.
// W2   one run: `each` over 1,000 items, and one more step that takes the joined outputs: steps/s, from the submit's
//      answer until that last step is called.
// Bytes of Redis per finished run: growth of used_memory over 1,000 runs as in W1.
//
// Runs are submitted by POST /v1/runs/batch, as many at once as places are free; a place is free when the last step's
// tool has been called, which the tool says over a socket: nothing polls while it is measured. What is timed then ends
// with a poll of GET /v1/runs?status=completed every 5 ms, asked only after the last tool call.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { endOnSignals, type Fleet, REPOSITORY, startFleet } from './lib/fleet.ts'
import { createApi, pause, register } from './lib/http.ts'
import { type Cost, Meter, type RedisCommand } from './lib/meter.ts'
import { median, printTable, quantile, redisVersion, writeResults } from './lib/results.ts'
import { openTells } from './lib/tells.ts'
import { CHAIN, DEFINITIONS, type Ends, runChains, runFan, runLone, WIDTH } from './workloads.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    runs: { type: 'string', default: '200' },
    'in-flight': { type: 'string', default: '50' },
    fsync: { type: 'string', default: 'everysec,always' },
    workers: { type: 'string', default: '1,2' },
    roles: { type: 'string', default: 'all' },
    slots: { type: 'string', default: '50' },
    /** A built tree, instead of this one. */
    root: { type: 'string', default: REPOSITORY },
    /** Node's CPU profiles of the services are written here. */
    profile: { type: 'string', default: '' },
    /** Also time each Lua script (in a round of its own, which is slower for it). */
    scripts: { type: 'boolean', default: false },
    'no-memory': { type: 'boolean', default: false },
    name: { type: 'string', default: 'throughput' },
  },
})
const ROUNDS = Number(values.rounds)
const RUNS = Number(values.runs)
const IN_FLIGHT = Number(values['in-flight'])
/** Redis keeps each command of them in its log. */
const SCRIPT_RUNS = 200
const MEMORY_RUNS = 1_000

interface Bench extends Ends {
  fleet: Fleet
  meter: Meter
}

interface SetUp {
  fsync: 'always' | 'everysec'
  roles: 'all' | 'split'
  workers: number
}

interface Figures {
  setUp: SetUp
  w1StepsPerSecond: number
  w1Each: number[]
  handOffP50Ms: number
  handOffP99Ms: number
  handOffMeanMs: number
  w2StepsPerSecond: number
  w2Each: number[]
  redisBytesPerRun: number | null
  /** Over the W1 rounds. */
  coresUsed: Record<string, number>
  /** The same as CPU time: other load on the machine moves it less than it moves the rates. */
  cpuUsecPerStep: Record<string, number>
  redisCommandsPerStep: number
  redisUsecPerStep: number
  redisTop: { name: string; callsPerStep: number; usecPerCall: number; usecPerStep: number }[]
  scripts: { name: string; callsPerStep: number; usecPerCall: number; usecPerStep: number }[] | null
}

const perStep = (commands: readonly RedisCommand[], steps: number) =>
  commands.map(({ name, calls, usec }) => ({
    name,
    callsPerStep: calls / steps,
    usecPerCall: usec / calls,
    usecPerStep: usec / steps,
  }))

/** evalsha holds the time of the commands its scripts ran, which are also counted by themselves. */
const outermost = ({ name }: { name: string }): boolean =>
  name === 'evalsha' || name === 'evalsha_ro' || name === 'fcall'

/** The rest of that list are commands, most of them inside scripts. */
const isScript = ({ name }: RedisCommand): boolean => name.endsWith('.lua') || name.startsWith('bullmq ')

const memoryPerRun = async (bench: Bench): Promise<number> => {
  const settled = async (): Promise<number> => {
    await pause(1_500)
    return bench.meter.usedMemory()
  }
  const before = await settled()
  await runChains(bench, MEMORY_RUNS, IN_FLIGHT)
  return ((await settled()) - before) / MEMORY_RUNS
}

const sumCpu = (costs: readonly Cost[]): Record<string, number> => {
  const names = Object.keys(costs[0]?.cpu ?? {})
  const seconds = costs.reduce((sum, cost) => sum + cost.seconds, 0)
  return Object.fromEntries(
    names.map((name) => [name, costs.reduce((sum, cost) => sum + (cost.cpu[name] ?? 0) * cost.seconds, 0) / seconds]),
  )
}

const sumCommands = (costs: readonly Cost[]): RedisCommand[] => {
  const sums = new Map<string, RedisCommand>()
  for (const { name, calls, usec } of costs.flatMap((cost) => cost.commands)) {
    const sum = sums.get(name) ?? { name, calls: 0, usec: 0 }
    sums.set(name, { name, calls: sum.calls + calls, usec: sum.usec + usec })
  }
  return [...sums.values()].sort((a, b) => b.usec - a.usec)
}

const measure = async (bench: Bench, setUp: SetUp): Promise<Figures> => {
  console.log(`  warm-up`)
  await runChains(bench, RUNS, IN_FLIGHT)
  await runFan(bench)
  await runLone(bench)
  const w1: number[] = []
  const w2: number[] = []
  const handOffs: number[] = []
  const costs: Cost[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    await bench.meter.start()
    w1.push((RUNS * CHAIN) / (await runChains(bench, RUNS, IN_FLIGHT)))
    costs.push(await bench.meter.stop())
    handOffs.push(...(await runLone(bench)))
    w2.push((WIDTH + 1) / (await runFan(bench)))
    console.log(`  round ${round}: W1 ${w1.at(-1)?.toFixed(0)} steps/s, W2 ${w2.at(-1)?.toFixed(0)} steps/s`)
  }
  let scripts: RedisCommand[] | null = null
  if (values.scripts) {
    await bench.meter.watchScripts()
    await runChains(bench, SCRIPT_RUNS, IN_FLIGHT)
    scripts = await bench.meter.scripts()
  }
  const steps = RUNS * CHAIN * ROUNDS
  const seconds = costs.reduce((sum, cost) => sum + cost.seconds, 0)
  const cores = sumCpu(costs)
  const commands = sumCommands(costs)
  const outer = commands.filter((command) => outermost(command))
  return {
    setUp,
    w1StepsPerSecond: median(w1),
    w1Each: w1,
    handOffP50Ms: median(handOffs),
    handOffP99Ms: quantile(handOffs, 0.99),
    handOffMeanMs: handOffs.reduce((sum, ms) => sum + ms, 0) / handOffs.length,
    w2StepsPerSecond: median(w2),
    w2Each: w2,
    redisBytesPerRun: values['no-memory'] ? null : await memoryPerRun(bench),
    coresUsed: cores,
    cpuUsecPerStep: Object.fromEntries(
      Object.entries(cores).map(([name, used]) => [name, (used * seconds * 1e6) / steps]),
    ),
    redisCommandsPerStep: commands.reduce((sum, { calls }) => sum + calls, 0) / steps,
    redisUsecPerStep: outer.reduce((sum, { usec }) => sum + usec, 0) / steps,
    redisTop: perStep(commands.slice(0, 14), steps),
    scripts: scripts && perStep(scripts.filter(isScript), SCRIPT_RUNS * CHAIN),
  }
}

const bench = async (setUp: SetUp): Promise<{ figures: Figures; redis: string }> => {
  const dir = mkdtempSync(join(tmpdir(), 'stepfleet-bench-'))
  const tells = await openTells()
  const profiles = (): readonly string[] => {
    if (values.profile === '') return []
    const folder = join(values.profile, `${setUp.fsync}-${setUp.roles}-${setUp.workers}`)
    mkdirSync(folder, { recursive: true })
    return ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  }
  const fleet = await startFleet({
    root: values.root,
    dir,
    appendfsync: setUp.fsync,
    roles: setUp.roles,
    toolWorkers: setUp.workers,
    slots: Number(values.slots),
    tools: [join(REPOSITORY, 'examples/tools/noop.mjs'), join(REPOSITORY, 'bench/tools/tell.mjs')],
    env: { BENCH_TELL_PORT: String(tells.port) },
    nodeArgs: (name) => (name.includes('worker') || name === 'orchestrator' || name === 'engine' ? profiles() : []),
  })
  const api = createApi(fleet.url)
  const meter = new Meter(fleet.redis.url, () => fleet.pids())
  try {
    for (const definition of DEFINITIONS) await register(api, definition)
    const figures = await measure({ fleet, api, tells, meter }, setUp)
    return { figures, redis: await redisVersion(fleet.redis.url) }
  } finally {
    api.close()
    meter.close()
    tells.close()
    await fleet.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

const print = (all: readonly Figures[]): void => {
  const head = [
    'appendfsync',
    'roles',
    'tool-workers',
    'W1 steps/s',
    'W1b p50 ms',
    'p99',
    'mean',
    'W2 steps/s',
    'bytes/run',
  ]
  const rows = all.map((one) => [
    ...[one.setUp.fsync, one.setUp.roles, one.setUp.workers, one.w1StepsPerSecond.toFixed(0)],
    ...[one.handOffP50Ms.toFixed(2), one.handOffP99Ms.toFixed(2), one.handOffMeanMs.toFixed(2)],
    ...[one.w2StepsPerSecond.toFixed(0), one.redisBytesPerRun?.toFixed(0) ?? '-'],
  ])
  printTable([head, ...rows])
  for (const one of all) {
    console.log(
      `\nW1, ${one.setUp.fsync}, ${one.setUp.roles}, ${one.setUp.workers} tool-worker(s): cores used, and what Redis does`,
    )
    console.log(
      Object.entries(one.coresUsed)
        .map(([name, cores]) => `${name} ${cores.toFixed(2)} (${one.cpuUsecPerStep[name]?.toFixed(0)} µs/step)`)
        .join(' · '),
    )
    console.log(
      `commands per step ${one.redisCommandsPerStep.toFixed(1)}, scripts' time per step ${one.redisUsecPerStep.toFixed(0)} µs`,
    )
    const table = (list: Figures['redisTop']): void =>
      printTable([
        ['command', 'calls/step', 'µs/call', 'µs/step'],
        ...list.map((row) => [
          row.name,
          row.callsPerStep.toFixed(2),
          row.usecPerCall.toFixed(1),
          row.usecPerStep.toFixed(1),
        ]),
      ])
    table(one.redisTop)
    if (one.scripts) table(one.scripts)
  }
}

endOnSignals()
const isFsync = (text: string): text is SetUp['fsync'] => text === 'always' || text === 'everysec'
const isRoles = (text: string): text is SetUp['roles'] => text === 'all' || text === 'split'
const all: Figures[] = []
let redis = 'unknown'
for (const fsync of values.fsync.split(',').filter(isFsync)) {
  for (const roles of values.roles.split(',').filter(isRoles)) {
    for (const workers of values.workers.split(',').map(Number)) {
      console.log(`${fsync}, ROLE ${roles}, ${workers} tool-worker(s)`)
      const measured = await bench({ fsync, roles, workers })
      redis = measured.redis
      all.push(measured.figures)
    }
  }
}
print(all)
writeResults(values.name, redis, { figures: all })
