// Kills and stops processes at random moments under load, and checks every run: `npm run chaos [-- --seed 1 --runs 2000
// --kills 20 --stops 10 --worker-stops 10 --roles split --without out-check,unsent,fence,begun,none]`.
//
// 2,000 short runs (tools that write into a synced ledger, one of them of effect `once`, a value, an `each` of three,
// model calls) are submitted while the engine process is
// - killed 20 times (SIGKILL) and started again; with `--roles all` it is API and engine in one process;
// - stopped 10 times (SIGSTOP), with commands in its hands, until a second engine has taken over all shards and worked a
//   while, and then continued (SIGCONT): what it appends must be refused, what it publishes must find no claim.
// A tool-worker is stopped 10 times in the middle of a call, until its tasks have gone to another, and continued: whoever
// answers first wins, and a call of effect `once` that it had begun is not made again, unless a person (lib/ends.ts) says so.
// A third of the jobs or so is delivered twice on top. Then everything is left alone, and the checker (checker.ts)
// looks at each accepted run.
//
// `--without` repeats all that on a copy of the built tree from which a guard was taken (lib/guards.ts): these columns
// must show the violations that the guard prevents, else the checker proves nothing. Ends with 1 when the real column
// has any violation, or a control has none of its kind.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { check, type Violation, type ViolationKind } from './checker.ts'
import { DEFINITIONS, type Planned, planRuns, randomOf, submitAll } from './lib/chaos-load.ts'
import { copyTree } from './lib/copy.ts'
import { startDuplicator } from './lib/duplicates.ts'
import { awaitEnds } from './lib/ends.ts'
import {
  deathsOf,
  type Fault,
  type FaultKind,
  faultAround,
  planFaults,
  STOPPED_WORKER,
  unexplained,
} from './lib/faults.ts'
import { endOnSignals, type Fleet, REPOSITORY, startFleet } from './lib/fleet.ts'
import { GUARDS, type Guard } from './lib/guards.ts'
import { type Api, createApi, expectOk, pause, register } from './lib/http.ts'
import { readJournals, readModelCalls, readToolCalls } from './lib/records.ts'
import { median, printTable, redisVersion, writeResults } from './lib/results.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '2000' },
    kills: { type: 'string', default: '20' },
    stops: { type: 'string', default: '10' },
    'worker-stops': { type: 'string', default: '10' },
    roles: { type: 'string', default: 'split' },
    without: { type: 'string', default: 'out-check,unsent,fence,begun' },
    fsync: { type: 'string', default: 'always' },
    root: { type: 'string', default: REPOSITORY },
    /** Keeps the files of the fleets, and the journals beside them. */
    keep: { type: 'boolean', default: false },
    name: { type: 'string', default: 'chaos' },
  },
})
const SEED = Number(values.seed)
const RUNS = Number(values.runs)
const KILLS = Number(values.kills)
const STOPS = Number(values.stops)
const WORKER_STOPS = Number(values['worker-stops'])
const ROLES = values.roles === 'all' ? 'all' : 'split'
const VICTIM = ROLES === 'all' ? 'orchestrator' : 'engine'
/** What recoveries take on a quiet machine: only for spreading the submits. */
const USUAL_MS = KILLS * 3_500 + STOPS * 8_000 + WORKER_STOPS * 2_500
/** Runs of one submit. */
const BATCH = 10
/** Longest pause of a run besides recoveries: a lost message must be found in 5 s, and work has piled up meanwhile. */
const STALL_MS = 8_000
/** After the last fault everything must end within this. */
const END_MS = 45_000

interface Spread {
  p50: number
  max: number
}
interface Column {
  name: string
  says: string
  accepted: number
  kills: number
  stops: number
  workerStops: number
  duplicates: number
  toolCalls: number
  modelCalls: number
  /** From a kill until every shard had an owner again. */
  backMs: Spread
  /** From the stop of the engine until every shard had another owner. */
  takenMs: Spread
  /** Appends of a deposed engine that were refused, by its log. */
  refusedAppends: number
  /** Tasks in the hands of the stopped worker that went out again, by the log of the engine. */
  takenTasks: number
  /** The same of other workers: they live, so each is a mistake. */
  falseDeaths: number
  /** Deliveries that the journals give up. */
  lostDeliveries: number
  /** Cases of `once` steps that the stopped worker's late answer closed. */
  lateResults: number
  /** Those that were left to a person: it was stopped between having begun and the call, or its call was cut. */
  decidedCases: number
  /** Kinds of which there must be some; null: there must be none of any. */
  shows: readonly ViolationKind[] | null
  violations: Violation[]
}

const holds = ({ shows, violations }: Column): boolean =>
  shows === null ? violations.length === 0 : violations.some(({ kind }) => shows.includes(kind))

/** Tasks in the lines by which an engine hands in the claims of workers. */
const deadTasksIn = (log: string, whose: (worker: string) => boolean): number =>
  log
    .split('\n')
    .filter((line) => line.includes('worker died'))
    .map((line) => JSON.parse(line) as { worker: string; tasks: unknown[] })
    .reduce((sum, { worker, tasks }) => sum + (whose(worker) ? tasks.length : 0), 0)

const logOf = (dir: string, name: string): string => {
  const file = join(dir, `${name}.log`)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** How long a recovery took. */
const recoveryMs = (faults: readonly Fault[], kind: FaultKind): Spread => {
  const all = faults.filter((one) => one.kind === kind).map(({ atMs, backAtMs }) => backAtMs - atMs)
  return all.length === 0 ? { p50: 0, max: 0 } : { p50: median(all), max: Math.max(...all) }
}

/** The id of the worker that is stopped now and then. */
const stoppedWorker = async (api: Api, fleet: Fleet): Promise<string> => {
  const { workers } = expectOk(await api.get<{ workers: { id: string; pid: number }[] }>('/v1/fleet'))
  return workers.find(({ pid }) => pid === fleet.pids()[STOPPED_WORKER])?.id ?? ''
}

/** A quarter of the runs is spread evenly: they meet a dead engine too, and a starting one. */
const submitSpread = async (api: Api, planned: readonly Planned[], over: () => boolean): Promise<void> => {
  const open: Promise<void>[] = []
  const everyMs = (USUAL_MS * BATCH) / Math.max(1, planned.length)
  for (let i = 0; i < planned.length; i += BATCH) {
    open.push(submitAll(api, planned.slice(i, i + BATCH), () => true))
    if (!over()) await pause(everyMs)
  }
  await Promise.all(open)
}

const column = async (name: string, guard: Guard | null, root: string): Promise<{ column: Column; redis: string }> => {
  const dir = mkdtempSync(join(tmpdir(), `stepfleet-chaos-`))
  const log = (line: string): void => console.log(`  ${name}: ${line}`)
  const effects = join(dir, 'effects.jsonl')
  const random = randomOf(SEED)
  const planned = planRuns(RUNS, random)
  const fleet = await startFleet({
    root,
    dir,
    appendfsync: values.fsync === 'everysec' ? 'everysec' : 'always',
    roles: ROLES,
    // who takes over from a stopped one
    toolWorkers: WORKER_STOPS > 0 ? 2 : 1,
    llmWorkers: 1,
    spare: STOPS > 0,
    modelLatencyMs: 20,
    tools: [join(REPOSITORY, 'bench/tools/effect.mjs')],
    env: { BENCH_EFFECTS: effects },
  })
  const api = createApi(fleet.url, 15_000)
  const duplicator = startDuplicator(fleet.redis.url, ['tool.module', 'llm.anthropic.claude-haiku-5-5'])
  try {
    for (const definition of DEFINITIONS) await register(api, definition)
    const order = planFaults({ kill: KILLS, stop: STOPS, 'worker-stop': WORKER_STOPS }, randomOf(SEED + 1))
    log(
      `${planned.length} runs, ${KILLS} kills and ${STOPS} stops of ${VICTIM}, ${WORKER_STOPS} of a worker, seed ${SEED}`,
    )
    const stopped = await stoppedWorker(api, fleet)
    let over = false
    const spreadCount = Math.floor(planned.length / 4)
    const spread = submitSpread(api, planned.slice(0, spreadCount), () => over)
    const size = Math.ceil((planned.length - spreadCount) / Math.max(1, order.length))
    const { faults, submits } = await faultAround(
      { api, fleet, victim: VICTIM, random: randomOf(SEED + 2), effects },
      order,
      (at) => planned.slice(spreadCount + at * size, spreadCount + (at + 1) * size),
    )
    over = true
    await Promise.all([spread, ...submits])
    log('all submitted; waiting for the ends')
    const decidedCases = await awaitEnds(api, planned, effects, END_MS)
    await duplicator.stop()
    // a call made twice may come after the run's end
    await pause(1_000)
    const journals = await readJournals(
      api,
      planned.map(({ run }) => run),
    )
    if (values.keep) writeFileSync(join(dir, 'journals.json'), JSON.stringify([...journals], null, 1))
    const ledgers = { tools: readToolCalls(effects), model: readModelCalls(fleet.modelLedger) }
    const violations = check(planned, journals, ledgers, {
      stallMs: STALL_MS,
      waitedMs: unexplained(faults),
      // orchestrators call nothing, so only stopped workers explain a second call
      deathsOf: deathsOf(faults, ledgers.tools),
    })
    const events = [...journals.values()].flat()
    const engineLogs = [VICTIM, 'spare'].map((one) => logOf(dir, one)).join('\n')
    log(`${violations.length} violations`)
    return {
      redis: await redisVersion(fleet.redis.url),
      column: {
        name,
        says: guard?.says ?? 'nothing taken out',
        shows: guard?.shows ?? null,
        lostDeliveries: events.filter(({ type }) => type === 'step.lost').length,
        lateResults: events.filter(({ action }) => action === 'late_result').length,
        decidedCases,
        takenTasks: deadTasksIn(engineLogs, (worker) => worker === stopped),
        falseDeaths: deadTasksIn(engineLogs, (worker) => worker !== stopped),
        refusedAppends: engineLogs.split('append refused: the shard has another owner').length - 1,
        accepted: planned.length,
        kills: KILLS,
        stops: STOPS,
        workerStops: WORKER_STOPS,
        duplicates: duplicator.count(),
        toolCalls: ledgers.tools.length,
        modelCalls: ledgers.model.length,
        backMs: recoveryMs(faults, 'kill'),
        takenMs: recoveryMs(faults, 'stop'),
        violations,
      },
    }
  } finally {
    api.close()
    await fleet.stop()
    if (values.keep) log(`files: ${dir}`)
    else rmSync(dir, { recursive: true, force: true })
  }
}

const KINDS: readonly ViolationKind[] = [
  ...(['not_ended', 'wrong_end', 'wrong_output', 'journal_gap', 'completed_twice', 'after_end'] as const),
  ...(['tool_called_again', 'model_called_again', 'never_called', 'stalled'] as const),
]

const print = (columns: readonly Column[]): void => {
  const row = (name: string, of: (one: Column) => number | string): (string | number)[] => [name, ...columns.map(of)]
  printTable([
    row('', ({ name }) => name),
    row('runs accepted', ({ accepted }) => accepted),
    row(`SIGKILLs of ${VICTIM}`, ({ kills }) => kills),
    row('jobs delivered twice', ({ duplicates }) => duplicates),
    row('calls of tools', ({ toolCalls }) => toolCalls),
    row('calls of the model', ({ modelCalls }) => modelCalls),
    row('all shards owned again after, ms p50 / max', ({ backMs }) => `${backMs.p50} / ${backMs.max}`),
    row(`SIGSTOPs of ${VICTIM}`, ({ stops }) => stops),
    row('all shards taken over after, ms p50 / max', ({ takenMs }) => `${takenMs.p50} / ${takenMs.max}`),
    row('appends of a deposed engine refused', ({ refusedAppends }) => refusedAppends),
    row('SIGSTOPs of a tool-worker', ({ workerStops }) => workerStops),
    row('tasks taken from the stopped worker', ({ takenTasks }) => takenTasks),
    row('cases closed by its late answer', ({ lateResults }) => lateResults),
    row('cases decided by a person', ({ decidedCases }) => decidedCases),
    row('deliveries given up', ({ lostDeliveries }) => lostDeliveries),
    row('tasks of live workers taken for lost', ({ falseDeaths }) => falseDeaths),
    ...KINDS.map((kind) => row(kind, ({ violations }) => violations.filter((one) => one.kind === kind).length)),
  ])
  for (const one of columns) console.log(`${one.name}: ${holds(one) ? 'as it must be' : 'NOT as it must be'}`)
  for (const { name, violations } of columns) {
    for (const { kind, run, detail } of violations.slice(0, 5)) console.log(`${name}: ${kind} ${run}: ${detail}`)
  }
}

const main = async (): Promise<boolean> => {
  const columns: Column[] = []
  const real = await column('real', null, values.root)
  columns.push(real.column)
  for (const name of values.without.split(',').filter((one) => one !== '' && one !== 'none')) {
    const guard = GUARDS[name]
    if (!guard) throw new Error(`there is no guard ${name}, only ${Object.keys(GUARDS).join(', ')}`)
    const copy = mkdtempSync(join(tmpdir(), 'stepfleet-copy-'))
    try {
      copyTree(copy, guard.patches)
      columns.push((await column(`without ${name}`, guard, copy)).column)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  }
  print(columns)
  const ok = columns.every(holds)
  const shown = columns.map((one) => ({
    ...one,
    holds: holds(one),
    violations: one.violations.length,
    byKind: Object.fromEntries(KINDS.map((kind) => [kind, one.violations.filter((v) => v.kind === kind).length])),
    examples: one.violations.slice(0, 5),
  }))
  writeResults(values.name, real.redis, { seed: SEED, roles: ROLES, stallMs: STALL_MS, columns: shown, ok })
  return ok
}

endOnSignals()
process.exitCode = (await main()) ? 0 : 1
