// `stepfleet demo`: a fleet, a research agent, a worker killed in the middle of it, and the proof that nothing was paid twice.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Client } from '@stepfleet/client'
import { createClient } from '@stepfleet/client'
import { DEFAULT_NAMESPACE, type Event, type RunView } from '@stepfleet/contracts'
import type { Command } from 'commander'
import { eventText, scriptedNotice, stayUp } from './commands/dev.ts'
import { type Context, contextOf, EXIT, untilInterrupted, wholeNumber } from './context.ts'
import { type Assassin, createAssassin, type Kill } from './fleet/assassin.ts'
import { type Fleet, startFleet } from './fleet/fleet.ts'
import { checkLedger, readLedger } from './fleet/ledger.ts'
import { repositoryRoot } from './fleet/root.ts'
import { readDefinition } from './values.ts'
import { count, duration } from './view/text.ts'
import { watchRun } from './view/watch.ts'

const AGENT = 'research'
/** The scripted agent takes 12 turns (demo-script.ts): a third of them. */
const KILL_AFTER_TURNS = 4
/** Of a scripted call: so slow that one can watch it. */
const LATENCY_MS = 600
const QUESTION = 'What can trees do against the heat in cities?'
const LIMIT_MS = 180_000
const paidNotice =
  'ANTHROPIC_API_KEY or ANTHROPIC_BASE_URL is set: a real model answers, and its calls (about 15) are paid.'
const DEFAULT_URL = 'http://127.0.0.1:7400'

interface DemoOptions {
  once?: true
  port: number
  data: string
}

export const addDemo = (program: Command): void => {
  program
    .command('demo')
    .description('start everything, run a research agent, kill its worker half-way, and check that nothing ran twice')
    .option('--once', 'stop when it is over; exit code 0 only when the run completed and the ledger agrees')
    .option('--port <port>', 'port of the API', wholeNumber(1, 65_535), 7_400)
    .option('--data <dir>', 'where everything is kept', '.stepfleet')
    .action(async (options: DemoOptions, command: Command) => demo(options, contextOf(command)))
}

const countRuns = async (client: Client): Promise<number> => {
  let total = 0
  let cursor: string | null = null
  do {
    const page = await client.runs({ limit: 200, ...(cursor ? { cursor } : {}) })
    total += page.items.length
    cursor = page.cursor
  } while (cursor !== null)
  return total
}

const wholeJournal = async (client: Client, id: string): Promise<Event[]> => {
  const events: Event[] = []
  for (let from: number | null = 1; from !== null; ) {
    const page = await client.journal(id, { from, limit: 1_000 })
    events.push(...page.events)
    from = page.next
  }
  return events
}

const turnOf = (path: string): string => /turn-(\d+)/.exec(path)?.[1] ?? '?'

const assassinOf = (client: Client, say: (text: string) => void): Assassin =>
  createAssassin({
    client,
    agent: AGENT,
    afterTurns: KILL_AFTER_TURNS,
    freshMs: LATENCY_MS / 2,
    onKill: (kill: Kill) => {
      say('')
      say(
        `☠ killed worker ${kill.worker} (pid ${kill.pid}) with SIGKILL, in the middle of turn ${turnOf(kill.path)} of the agent`,
      )
    },
    onResumed: (kill, step, afterMs) => {
      say(
        `↻ ${duration(afterMs)} later turn ${turnOf(kill.path)} runs again${step.worker ? ` on ${step.worker}` : ''}; ` +
          `turns 1 to ${kill.finished} are kept and not run again`,
      )
      say('')
    },
  })

/** What the ledger says; true when it agrees with the journal. */
const judge = async (
  fleet: Fleet,
  client: Client,
  run: RunView,
  kill: Kill | null,
  say: (text: string) => void,
): Promise<boolean> => {
  const events = await wholeJournal(client, run.id)
  if (kill && !events.some((event) => event.type === 'step.lost'))
    say('(the killed worker was between two calls: nothing was lost with it)')
  if (fleet.ledger === null) {
    say('a real provider answered, so there is no ledger to hold against the journal')
    return true
  }
  const verdict = checkLedger(readLedger(fleet.ledger), events, {
    ns: DEFAULT_NAMESPACE,
    id: run.id,
    killed: events.flatMap((event) => (event.type === 'step.lost' && event.cause === 'worker' ? [event.path] : [])),
  })
  const extra =
    verdict.extra.length > 0 ? `; the one in flight at the kill was made again (${verdict.calls} calls in all)` : ''
  if (verdict.ok)
    say(
      `✓ the journal has ${count(verdict.completed)} finished model calls, the model's own ledger the same ones, each answered once${extra}`,
    )
  else for (const problem of verdict.problems) say(`✗ ${problem}`)
  return verdict.ok
}

const perform = async (fleet: Fleet, context: Context, signal: AbortSignal): Promise<boolean> => {
  const client = createClient({ url: fleet.url })
  const say = (text: string): void => context.screen.print(text)
  const before = await countRuns(client)
  if (before > 0)
    say(
      `found ${count(before)} ${before === 1 ? 'run' : 'runs'} of earlier starts in ${fleet.dataDir}, all still there`,
    )
  const file = join(repositoryRoot(), 'examples/research-agent.yaml')
  const { id } = await client.submit({
    definition: (await readDefinition(file)).definition,
    input: { question: QUESTION },
  })
  say(`run ${id}: ${QUESTION}`)
  const assassin = assassinOf(client, say)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
  const run = await watchRun(client, id, {
    screen: context.screen,
    color: context.color,
    signal: limit,
    onView: (view) => assassin.look(view),
    everyMs: 75,
  })
  if (signal.aborted || !run) {
    say(`interrupted; run ${id} goes on at the next start`)
    return false
  }
  say('')
  if (run.status !== 'completed') {
    say(`✗ the run is ${run.status}${run.failure ? `: ${run.failure.code}: ${run.failure.message}` : ''}`)
    return false
  }
  const ok = await judge(fleet, client, run, assassin.kill, say)
  if (!assassin.kill) say('✗ no worker could be killed in time, so nothing was shown')
  say('')
  say(JSON.stringify(run.output, null, 2))
  // stdout holds only this with --json; all else went to stderr
  if (context.json) context.printJson({ ok: ok && assassin.kill !== null, kill: assassin.kill, run })
  return ok && assassin.kill !== null
}

const whereNext = (fleet: Fleet, context: Context): void => {
  const at = fleet.url === DEFAULT_URL ? '' : ` --url ${fleet.url}`
  for (const text of [
    '',
    `The fleet is up: ${fleet.url} (pages at ${fleet.url}/docs), data and logs in ${fleet.dataDir}`,
    '',
    `  npx stepfleet run examples/research-agent.yaml --input '{"question": "How do tides work?"}' --watch${at}`,
    `  npx stepfleet runs list${at}`,
    `  npx stepfleet fleet${at}`,
    '',
    'Ctrl-C stops all; the next start finds these runs again.',
  ])
    context.screen.print(text)
}

const demo = async (options: DemoOptions, context: Context): Promise<void> => {
  const interrupt = untilInterrupted()
  const { signal } = interrupt
  let ready = false
  const fleet = await startFleet({
    port: options.port,
    dataDir: options.data,
    llmWorkers: 2,
    toolWorkers: 1,
    latencyMs: LATENCY_MS,
    script: fileURLToPath(new URL('./fleet/demo-script.js', import.meta.url)),
    signal,
    log: (text) => context.screen.print(text),
    onEvent: (event) => {
      if (event.type === 'died' && !signal.aborted) context.screen.print(eventText(event))
      else if (ready && !signal.aborted) context.screen.print(eventText(event))
    },
  })
  ready = true
  try {
    context.screen.print(fleet.ledger === null ? paidNotice : scriptedNotice)
    const ok = await perform(fleet, context, signal)
    if (options.once) return context.setExit(ok ? EXIT.completed : EXIT.error)
    if (!signal.aborted) whereNext(fleet, context)
    await stayUp(fleet, signal, context.note)
  } finally {
    await fleet.stop()
    interrupt.release()
  }
}
