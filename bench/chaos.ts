// SIGKILLs the orchestrator at random moments under load, restarts it, and checks every run:
// `npm run chaos [-- --seed 1 --runs 2000 --kills 20 --roles split --without out-check,unsent,none]`.
//
// 2,000 short runs (tools that write into a synced ledger, a value, an `each` of three, model calls) are submitted while
// the engine process is killed 20 times; `--roles all` kills API and engine in one process. A third of the jobs or so is
// delivered twice on top. Then everything is left alone, and the checker (checker.ts) looks at each accepted run.
//
// `--without` repeats all that on a copy of the built tree from which a guard was taken: these columns must show
// the violations that the guard prevents, else the checker proves nothing. Ends with 1 when the real column has any
// violation, or a control has none of its kind.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SHARDS } from '@stepfleet/contracts'
import { check, type Violation, type ViolationKind } from './checker.ts'
import { DEFINITIONS, type Planned, planRuns, randomOf, submitAll } from './lib/chaos-load.ts'
import { copyTree } from './lib/copy.ts'
import { startDuplicator } from './lib/duplicates.ts'
import { endOnSignals, type Fleet, REPOSITORY, startFleet } from './lib/fleet.ts'
import { GUARDS, type Guard } from './lib/guards.ts'
import { type Api, countRuns, createApi, pause, register, until } from './lib/http.ts'
import { type JournalEvent, readJournal, readModelCalls, readToolCalls } from './lib/records.ts'
import { median, printTable, redisVersion, writeResults } from './lib/results.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '2000' },
    kills: { type: 'string', default: '20' },
    roles: { type: 'string', default: 'split' },
    without: { type: 'string', default: 'out-check,unsent' },
    fsync: { type: 'string', default: 'always' },
    root: { type: 'string', default: REPOSITORY },
    /** Keeps the files of the fleets. */
    keep: { type: 'boolean', default: false },
    name: { type: 'string', default: 'chaos' },
  },
})
const SEED = Number(values.seed)
const RUNS = Number(values.runs)
const KILLS = Number(values.kills)
const ROLES = values.roles === 'all' ? 'all' : 'split'
const VICTIM = ROLES === 'all' ? 'orchestrator' : 'engine'
/** From a kill until all shards have an owner again: the lease of the dead one (2 s), a process's start, some load. */
const RECOVERY_MS = 30_000
/** What a recovery takes on a quiet machine: only for spreading the submits. */
const USUAL_RECOVERY_MS = 3_500
/** A kill comes up to this after its burst was sent. */
const LOADED_MS = 250
/** Runs of one submit. */
const BATCH = 10
/** Longest pause of a run besides recoveries: a lost message must be found in 5 s, and work has piled up meanwhile. */
const STALL_MS = 8_000
/** After the last kill everything must end within this. */
const END_MS = 45_000
const ENDED = ['completed', 'failed', 'cancelled']

interface Column {
  name: string
  says: string
  accepted: number
  kills: number
  duplicates: number
  toolCalls: number
  modelCalls: number
  /** From a kill until every shard had an owner again. */
  backMs: { p50: number; max: number }
  /** Tasks of live workers that an engine took for dead (by its log): no worker is killed here. */
  falseDeaths: number
  /** Deliveries that the journals give up; none of them was in a worker that died. */
  lostDeliveries: number
  /** Kinds of which there must be some; null: there must be none of any. */
  shows: readonly ViolationKind[] | null
  violations: Violation[]
}

const holds = ({ shows, violations }: Column): boolean =>
  shows === null ? violations.length === 0 : violations.some(({ kind }) => shows.includes(kind))

/** Tasks in the lines by which an engine hands in the claims of a worker. */
const falseDeathsIn = (log: string): number =>
  log
    .split('\n')
    .filter((line) => line.includes('worker died'))
    .reduce((sum, line) => sum + ((JSON.parse(line) as { tasks?: unknown[] }).tasks?.length ?? 0), 0)

interface Fleeting {
  engines: { pid: number; alive: boolean | null; shards: number[] }[]
}

/** The victim's new process owns every shard. The API may be away with it. */
const ownsAll = async (api: Api, fleet: Fleet): Promise<boolean> => {
  const answer = await api.get<Fleeting>('/v1/fleet').catch(() => null)
  if (answer?.status !== 200) return false
  return answer.body.engines.some(({ pid, shards }) => pid === fleet.pids()[VICTIM] && shards.length === SHARDS)
}

interface Kill {
  atMs: number
  /** When all shards had an owner again. */
  backAtMs: number
}

/**
 * Kills and restarts at seeded moments. Before each kill all shards are owned, and a burst of runs is sent that keeps
 * the victim busy: a kill between two idle moments would prove little.
 */
const killAround = async (
  api: Api,
  fleet: Fleet,
  bursts: readonly (readonly Planned[])[],
  random: () => number,
): Promise<{ kills: Kill[]; submits: Promise<void>[] }> => {
  const kills: Kill[] = []
  const submits: Promise<void>[] = []
  for (const burst of bursts) {
    for (let i = 0; i < burst.length; i += BATCH) submits.push(submitAll(api, burst.slice(i, i + BATCH), () => true))
    await pause(10 + random() * LOADED_MS)
    const atMs = Date.now()
    await fleet.kill(VICTIM)
    // a supervisor takes a moment too
    await pause(random() * 200)
    fleet.start(VICTIM)
    await until(`${VICTIM} to own all shards`, RECOVERY_MS, () => ownsAll(api, fleet), 100)
    kills.push({ atMs, backAtMs: Date.now() })
    if (kills.length % 5 === 0) console.log(`  ${kills.length} kills`)
  }
  return { kills, submits }
}

/** A quarter of the runs is spread evenly: they meet a dead engine too, and a starting one. */
const submitSpread = async (api: Api, planned: readonly Planned[], over: () => boolean): Promise<void> => {
  const open: Promise<void>[] = []
  const everyMs = (KILLS * USUAL_RECOVERY_MS * BATCH) / Math.max(1, planned.length)
  for (let i = 0; i < planned.length; i += BATCH) {
    open.push(submitAll(api, planned.slice(i, i + BATCH), () => true))
    if (!over()) await pause(everyMs)
  }
  await Promise.all(open)
}

const awaitEnds = async (api: Api, accepted: number): Promise<void> => {
  const end = performance.now() + END_MS
  while (performance.now() < end) {
    const counts = await Promise.all(ENDED.map((status) => countRuns(api, `status=${status}`).catch(() => 0)))
    if (counts.reduce((sum, count) => sum + count, 0) >= accepted) return
    await pause(500)
  }
}

const journalsOf = async (api: Api, planned: readonly Planned[]): Promise<Map<string, JournalEvent[]>> => {
  const journals = new Map<string, JournalEvent[]>()
  const left = [...planned]
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let one = left.pop(); one; one = left.pop()) journals.set(one.run, await readJournal(api, one.run))
    }),
  )
  return journals
}

/** Milliseconds of a stretch that no recovery explains. */
const unexplained =
  (kills: readonly Kill[]) =>
  (fromMs: number, toMs: number): number =>
    kills.reduce(
      (left, { atMs, backAtMs }) => left - Math.max(0, Math.min(toMs, backAtMs) - Math.max(fromMs, atMs)),
      toMs - fromMs,
    )

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
    toolWorkers: 1,
    llmWorkers: 1,
    modelLatencyMs: 20,
    tools: [join(REPOSITORY, 'bench/tools/effect.mjs')],
    env: { BENCH_EFFECTS: effects },
  })
  const api = createApi(fleet.url, 15_000)
  const duplicator = startDuplicator(fleet.redis.url, ['tool.module', 'llm.anthropic.claude-haiku-5-5'])
  try {
    for (const definition of DEFINITIONS) await register(api, definition)
    log(`${planned.length} runs and ${KILLS} kills of ${VICTIM}, seed ${SEED}`)
    let over = false
    const spreadCount = Math.floor(planned.length / 4)
    const spread = submitSpread(api, planned.slice(0, spreadCount), () => over)
    const size = Math.ceil((planned.length - spreadCount) / KILLS)
    const bursts = Array.from({ length: KILLS }, (_, i) =>
      planned.slice(spreadCount + i * size, spreadCount + (i + 1) * size),
    )
    const { kills, submits } = await killAround(api, fleet, bursts, randomOf(SEED + 2))
    over = true
    await Promise.all([spread, ...submits])
    log('all submitted; waiting for the ends')
    await awaitEnds(api, planned.length)
    await duplicator.stop()
    // a call made twice may come after the run's end
    await pause(1_000)
    const journals = await journalsOf(api, planned)
    const ledgers = { tools: readToolCalls(effects), model: readModelCalls(fleet.modelLedger) }
    // only orchestrators are killed, and they call nothing
    const violations = check(planned, journals, ledgers, {
      stallMs: STALL_MS,
      waitedMs: unexplained(kills),
      deathsOf: () => 0,
    })
    const back = kills.map(({ atMs, backAtMs }) => backAtMs - atMs)
    log(`${violations.length} violations`)
    return {
      redis: await redisVersion(fleet.redis.url),
      column: {
        name,
        says: guard?.says ?? 'nothing taken out',
        shows: guard?.shows ?? null,
        lostDeliveries: [...journals.values()].flat().filter(({ type }) => type === 'step.lost').length,
        falseDeaths: falseDeathsIn(readFileSync(join(dir, `${VICTIM}.log`), 'utf8')),
        accepted: planned.length,
        kills: kills.length,
        duplicates: duplicator.count(),
        toolCalls: ledgers.tools.length,
        modelCalls: ledgers.model.length,
        backMs: { p50: median(back), max: Math.max(...back) },
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
