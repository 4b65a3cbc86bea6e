// Writes docs/benchmarks.md from bench/results/*.json: `npm run bench:report`. No figure in that page is typed by hand.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const ROOT = join(import.meta.dirname, '..')

interface Measured {
  command: string
  date: string
  machine: { cpus: number; model: string; memoryGb: number; node: string; redis: string }
}
interface Throughput extends Measured {
  figures: {
    setUp: { fsync: string; roles: string; workers: number }
    w1StepsPerSecond: number
    handOffP50Ms: number
    handOffP99Ms: number
    w2StepsPerSecond: number
    redisBytesPerRun: number | null
    coresUsed: Record<string, number>
    cpuUsecPerStep: Record<string, number>
    redisCommandsPerStep: number
    redisUsecPerStep: number
  }[]
}
interface Kill extends Measured {
  turns: number
  killedIn: number
  progressMs: { p50: number; p99: number; max: number }
  kills: readonly { modelCalls?: number; begun?: number }[]
  ok: boolean
}
interface Chaos extends Measured {
  seed: number
  roles: string
  ok: boolean
  columns: {
    name: string
    says: string
    accepted: number
    kills: number
    violations: number
    byKind: Record<string, number>
    backMs: { p50: number; max: number }
    /** From here on: not in results from before there were stops. */
    stops?: number
    takenMs?: { p50: number; max: number }
    refusedAppends?: number
    workerStops?: number
    takenTasks?: number
    lateResults?: number
    decidedCases?: number
  }[]
}
interface Loaded {
  firstMs: number
  medianMs: number
  events: number
  tailEvents: number
  records: number
}
interface Wide extends Measured {
  ok: boolean
  fsync: string
  steps: number
  seconds: number
  middle: Loaded
  end: Loaded
  snapshotBytes: number
  peakMb: Record<string, number>
}

// the files are written by the scripts beside this one
const read = <T>(name: string): T | null => {
  const file = join(ROOT, 'bench/results', `${name}.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : null
}

const whole = (value: number): string => Math.round(value).toLocaleString('en')
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

const where = ({ command, date, machine }: Measured): string =>
  `\`${command}\`, ${date.slice(0, 10)}, ${machine.cpus} cores (${machine.model}), ${machine.memoryGb} GB, Node ${machine.node}, Redis ${machine.redis}; everything on this one machine.`

const throughput = (measured: Throughput): string => {
  const rows = measured.figures.map((figure) => [
    figure.setUp.fsync,
    figure.setUp.workers,
    whole(figure.w1StepsPerSecond),
    `${figure.handOffP50Ms.toFixed(2)} / ${figure.handOffP99Ms.toFixed(1)}`,
    whole(figure.w2StepsPerSecond),
    figure.redisBytesPerRun === null ? '–' : whole(figure.redisBytesPerRun),
  ])
  const head = [
    'appendfsync',
    'tool-workers',
    'chains, steps/s',
    'hand-off p50 / p99, ms',
    'fan-out, steps/s',
    'bytes of Redis per finished run',
  ]
  const costs = measured.figures.map(({ setUp, cpuUsecPerStep, coresUsed, redisCommandsPerStep, redisUsecPerStep }) => {
    const parts = Object.entries(cpuUsecPerStep).map(([name, usec]) => `${name} ${whole(usec)} µs`)
    const cores = Object.values(coresUsed).reduce((sum, share) => sum + share, 0)
    return `- ${setUp.fsync}, ${setUp.workers} tool-worker(s): ${parts.join(', ')} of processor time per step, ${cores.toFixed(2)} cores busy; ${redisCommandsPerStep.toFixed(0)} Redis commands per step (those inside scripts counted), ${whole(redisUsecPerStep)} µs in scripts.`
  })
  return `## Throughput

${where(measured)}

Chains: 200 runs of 10 no-op tool steps, 50 in flight. Hand-off: a lone chain of 50 steps. Fan-out: one \`each\` over 1,000 items and a join. Medians of the rounds.

${table(head, rows)}

What limits it: the processors. All of it shares the machine's cores, and a step costs this much:

${costs.join('\n')}
`
}

const kill = (measured: Kill): string => `## A worker killed in the middle of an agent

${where(measured)}

An agent of ${measured.turns} turns; SIGKILL of the llm-worker that holds turn ${measured.killedIn}, ${measured.kills.length} times. From the kill until that turn's call began again on another worker: **p50 ${whole(measured.progressMs.p50)} ms**, p99 ${whole(measured.progressMs.p99)} ms, longest ${whole(measured.progressMs.max)} ms. The model's ledger: every call once, and at most the one in flight again: ${measured.ok ? 'holds' : '**broken**'}.
`

/** What the stopped processes did; nothing in results from before there were stops. */
const stopRows = (columns: Chaos['columns']): (string | number)[][] => {
  if (columns.every(({ stops = 0, workerStops = 0 }) => stops + workerStops === 0)) return []
  return [
    ['SIGSTOPs of the engine, then SIGCONT', ...columns.map(({ stops }) => stops ?? 0)],
    [
      'all shards taken over, p50 / longest ms',
      ...columns.map(({ takenMs }) => `${whole(takenMs?.p50 ?? 0)} / ${whole(takenMs?.max ?? 0)}`),
    ],
    ['appends of the deposed engine that were refused', ...columns.map(({ refusedAppends }) => refusedAppends ?? 0)],
    ['SIGSTOPs of a tool-worker, then SIGCONT', ...columns.map(({ workerStops }) => workerStops ?? 0)],
    ['tasks taken from the stopped worker', ...columns.map(({ takenTasks }) => takenTasks ?? 0)],
    [
      'of them of effect `once`: cases that its late answer closed',
      ...columns.map(({ lateResults }) => lateResults ?? 0),
    ],
    ['and cases that a person decided', ...columns.map(({ decidedCases }) => decidedCases ?? 0)],
  ]
}

const chaos = (measured: Chaos): string => {
  const kinds = [...new Set(measured.columns.flatMap(({ byKind }) => Object.keys(byKind)))]
  const rows = [
    ['runs accepted', ...measured.columns.map(({ accepted }) => whole(accepted))],
    ['SIGKILLs of the engine', ...measured.columns.map(({ kills }) => kills)],
    [
      'all shards owned again, p50 / longest ms',
      ...measured.columns.map(({ backMs }) => `${whole(backMs.p50)} / ${whole(backMs.max)}`),
    ],
    ...stopRows(measured.columns),
    ['**violations**', ...measured.columns.map(({ violations }) => `**${violations}**`)],
    ...kinds.map((kind) => [kind.replaceAll('_', ' '), ...measured.columns.map(({ byKind }) => byKind[kind] ?? 0)]),
  ]
  const stopped = measured.columns.some(({ stops = 0 }) => stops > 0)
  return `## The engine killed${stopped ? ' and stopped' : ''} under load

${where(measured)}

Seed ${measured.seed}. The checker reads ledgers that the system cannot edit. A checker that never failed proves nothing: the other columns are the same run with a guard taken out of a copy of the built tree (${measured.columns
    .slice(1)
    .map(({ name, says }) => `*${name}*: ${says}`)
    .join('; ')}).

${table(['', ...measured.columns.map(({ name }) => name)], rows)}
`
}

const loadedMs = ({ firstMs, medianMs }: Loaded): string => `${whole(firstMs)} / ${whole(medianMs)}`

const wide = (measured: Wide): string => {
  const { ok, fsync, steps, seconds, middle, end, snapshotBytes, peakMb } = measured
  const rows = [
    ['facts in the journal', whole(middle.events), whole(end.events)],
    ['of them after the snapshot', whole(middle.tailEvents), whole(end.tailEvents)],
    ['records of steps', whole(middle.records), whole(end.records)],
    ['**loaded, first time / median of five, ms**', ...[middle, end].map(loadedMs)],
  ]
  const peaks = Object.entries(peakMb).map(([name, mb]) => `${name} ${whole(mb)} MB`)
  return `## A run of ${whole(steps)} steps, its engine killed in the middle

${where(measured)}

One run: an \`each\` of a block that holds an \`each\` of a no-op tool, ${whole(steps)} tool steps in all, one tool-worker, appendfsync ${fsync}. The orchestrator is killed with SIGKILL when more facts are recorded than there are steps, and started again once a process that knows nothing of the run has loaded it five times. From the submit to the end, with the kill, the loads and the start: **${whole(seconds)} s**, ${whole(steps / seconds)} steps/s. The output: ${ok ? 'as it should be' : '**wrong**'}.

${table(['', 'at the kill', 'at the end'], rows)}

The last snapshot has ${(snapshotBytes / 1_000_000).toFixed(1)} MB, ${whole(snapshotBytes / end.records)} bytes per record. Largest resident memory: ${peaks.join(', ')}.
`
}

/** The page, from the results that are there. */
export const report = (): string => {
  const [speed, killed, killedEngine] = [read<Throughput>('throughput'), read<Kill>('kill'), read<Chaos>('chaos')]
  const long = read<Wide>('wide')
  const parts = [speed && throughput(speed), killed && kill(killed), killedEngine && chaos(killedEngine)]
  parts.push(long && wide(long))
  return `# Benchmarks

Written by \`npm run bench:report\` from \`bench/results\`; measure again with \`npm run bench\`, \`npm run bench:kill\`, \`npm run chaos\`, \`npm run bench:wide\`.

${parts.filter((part) => part !== null).join('\n')}`
}

export const PAGE = join(ROOT, 'docs/benchmarks.md')

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(PAGE, report())
  console.log('written: docs/benchmarks.md')
}
