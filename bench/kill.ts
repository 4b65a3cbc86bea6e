// Kills the llm-worker that holds turn 17 of a 47-turn agent, again and again: `npm run bench:kill [-- --times 10]`.
//
// Measured, by the scripted model's ledger (its `begun` lines are on disk before it does anything else) and one clock:
// from the SIGKILL until the model is called again for the same step, and until it is called for turn 18.
// Checked, by that ledger and the journal: 47 model calls finished, none of them called twice but the one in flight,
// and that at most once more. Ends with 1 when a check fails.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkAgentCalls } from './checker.ts'
import { endOnSignals, type Fleet, REPOSITORY, startFleet } from './lib/fleet.ts'
import { type Api, createApi, expectOk, pause, register } from './lib/http.ts'
import { readJournal, readModelCalls } from './lib/records.ts'
import { median, printTable, quantile, redisVersion, writeResults } from './lib/results.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '10' },
    turn: { type: 'string', default: '17' },
    'latency-ms': { type: 'string', default: '20' },
    fsync: { type: 'string', default: 'always' },
    root: { type: 'string', default: REPOSITORY },
    name: { type: 'string', default: 'kill' },
  },
})
const TIMES = Number(values.times)
const TURN = Number(values.turn)
const TURNS = 47
const WORKERS = 2
/** The call of that turn takes this long, so that it is under way when its worker dies. */
const HELD_MS = 400

const definition = {
  name: 'long-agent',
  steps: {
    work: {
      agent: {
        model: 'anthropic/claude-haiku-5-5',
        max_identical: 100,
        prompt: `Do the work. [[scripted: turns=${TURNS - 1} tool=noop]] [[scripted: turn=${TURN} latency=${HELD_MS}]]`,
        tools: ['noop'],
        max_turns: TURNS + 3,
      },
    },
  },
}

interface Fleeting {
  workers: { id: string; pid: number; service: string }[]
}
interface View {
  status: string
  steps: { path: string; status: string; worker: string | null }[]
}

const turnPath = (turn: number): string => `work/turn-${turn}/llm`

/** The process name of the worker that holds the step now. */
const holderOf = async (api: Api, fleet: Fleet, run: string, path: string): Promise<string | null> => {
  const view = expectOk(await api.get<View>(`/v1/runs/${run}`))
  if (!['queued', 'running', 'waiting'].includes(view.status))
    throw new Error(`run ${run} is ${view.status} before its kill`)
  const worker = view.steps.find((step) => step.path === path && step.status === 'running')?.worker
  if (!worker) return null
  const { workers } = expectOk(await api.get<Fleeting>('/v1/fleet'))
  const pid = workers.find((one) => one.id === worker)?.pid
  return Object.entries(fleet.pids()).find(([, one]) => one === pid)?.[0] ?? null
}

interface Kill {
  worker: string
  progressMs: number
  nextTurnMs: number
  calls: number
  problems: string[]
}

const once = async (api: Api, fleet: Fleet, run: string): Promise<Kill> => {
  expectOk(await api.post('/v1/runs', { id: run, workflow: 'long-agent' }))
  const key = `default/${run}/${turnPath(TURN)}`
  const begun = (of: string): number[] =>
    readModelCalls(fleet.modelLedger)
      .filter((call) => call.key === of)
      .map((call) => call.atMs)
  while (begun(key).length === 0) await pause(2)
  let worker: string | null = null
  while (worker === null) worker = await holderOf(api, fleet, run, turnPath(TURN))
  const killedAtMs = Date.now()
  await fleet.kill(worker)
  const answer = await api.get<{ status: string }>(`/v1/runs/${run}/result?wait=60s`)
  const { status } = expectOk(answer)
  const again = begun(key).find((atMs) => atMs >= killedAtMs)
  const next = begun(`default/${run}/${turnPath(TURN + 1)}`)[0]
  const calls = readModelCalls(fleet.modelLedger).filter((call) => call.key.startsWith(`default/${run}/`))
  const problems = checkAgentCalls(await readJournal(api, run), calls, { run, turns: TURNS, killed: [key] })
  if (status !== 'completed') problems.push(`the run is ${status}`)
  if (begun(key)[0] !== undefined && again === undefined) problems.push('the step was not called again after the kill')
  fleet.start(worker)
  await fleet.ready(worker)
  return {
    worker,
    progressMs: again === undefined ? Number.NaN : again - killedAtMs,
    nextTurnMs: next === undefined ? Number.NaN : next - killedAtMs,
    calls: calls.length,
    problems,
  }
}

const main = async (): Promise<boolean> => {
  const dir = mkdtempSync(join(tmpdir(), 'stepfleet-kill-'))
  const fleet = await startFleet({
    root: values.root,
    dir,
    appendfsync: values.fsync === 'everysec' ? 'everysec' : 'always',
    roles: 'all',
    toolWorkers: 1,
    llmWorkers: WORKERS,
    modelLatencyMs: Number(values['latency-ms']),
    tools: [join(REPOSITORY, 'examples/tools/noop.mjs')],
  })
  const api = createApi(fleet.url)
  const kills: Kill[] = []
  try {
    await register(api, definition)
    for (let i = 1; i <= TIMES; i += 1) {
      const kill = await once(api, fleet, `kill-${i}`)
      kills.push(kill)
      const verdict = kill.problems.length === 0 ? 'checked' : `WRONG: ${kill.problems.join('; ')}`
      console.log(
        `${i}: ${kill.worker} killed; the model is called again after ${kill.progressMs} ms, for turn ${TURN + 1} after ${kill.nextTurnMs} ms; ${kill.calls} calls, ${verdict}`,
      )
    }
    const progress = kills.map((kill) => kill.progressMs)
    const next = kills.map((kill) => kill.nextTurnMs)
    const row = (name: string, all: number[]): (string | number)[] => [
      name,
      median(all),
      quantile(all, 0.99),
      Math.max(...all),
    ]
    printTable([
      ['ms from the SIGKILL', 'p50', 'p99', 'max'],
      row('model called again', progress),
      row(`turn ${TURN + 1} called`, next),
    ])
    const ok = kills.every((kill) => kill.problems.length === 0)
    writeResults(values.name, await redisVersion(fleet.redis.url), {
      turns: TURNS,
      killedIn: TURN,
      callMs: HELD_MS,
      progressMs: { p50: median(progress), p99: quantile(progress, 0.99), max: Math.max(...progress) },
      nextTurnMs: { p50: median(next), p99: quantile(next, 0.99), max: Math.max(...next) },
      kills,
      ok,
    })
    return ok
  } finally {
    api.close()
    await fleet.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

endOnSignals()
process.exitCode = (await main()) ? 0 : 1
