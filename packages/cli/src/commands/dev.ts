// `stepfleet dev`: a whole fleet on this machine until Ctrl-C.
import type { Command } from 'commander'
import { readConfig } from '../config.ts'
import { type Context, contextOf, untilInterrupted, wholeNumber } from '../context.ts'
import { type Fleet, startFleet } from '../fleet/fleet.ts'
import type { SupervisorEvent } from '../fleet/supervise.ts'
import { table } from '../view/text.ts'

interface DevOptions {
  port: number
  data: string
  llmWorkers: number
  toolWorkers: number
  redisUrl?: string
}

export const addDev = (program: Command): void => {
  program
    .command('dev')
    .description('start Redis, every service and, without a provider key, a scripted model; Ctrl-C stops all')
    .option('--port <port>', 'port of the API', wholeNumber(1, 65_535), 7_400)
    .option('--data <dir>', 'where everything is kept', '.stepfleet')
    .option('--llm-workers <n>', 'how many', wholeNumber(1, 64), 2)
    .option('--tool-workers <n>', 'how many', wholeNumber(1, 64), 2)
    .option('--redis-url <url>', 'use this Redis (STEPFLEET_REDIS_URL) instead of starting one')
    .action(async (options: DevOptions, command: Command) => dev(options, contextOf(command)))
}

/** In words, for a person who watches. */
export const eventText = (event: SupervisorEvent): string => {
  if (event.type === 'started') return `${event.name} started (pid ${event.pid})`
  const next = event.restartInMs < 0 ? 'it could not be started again' : `starting it again in ${event.restartInMs} ms`
  return `${event.name} (pid ${event.pid}) died: ${event.how}; ${next}`
}

export const scriptedNotice =
  'answers are *scripted*: no ANTHROPIC_API_KEY is set, so a stand-in on this machine plays the model. Nothing is paid.'

export const fleetTable = (fleet: Fleet, width: number): string[] =>
  table(
    ['process', 'pid', 'address'],
    Object.entries(fleet.pids()).map(([name, pid]) => [
      name,
      String(pid),
      name === 'orchestrator' ? fleet.url : name === 'redis' ? fleet.redisUrl : '',
    ]),
    width,
  )

/** Waits for Ctrl-C, then stops all; a second Ctrl-C stops at once. */
export const stayUp = async (fleet: Fleet, signal: AbortSignal, note: (text: string) => void): Promise<void> => {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  note('stopping')
  const atOnce = (): void => {
    fleet.killAll()
    process.exit(1)
  }
  process.on('SIGINT', atOnce)
  process.on('SIGTERM', atOnce)
  await fleet.stop()
  process.removeListener('SIGINT', atOnce)
  process.removeListener('SIGTERM', atOnce)
}

const dev = async (options: DevOptions, context: Context): Promise<void> => {
  const { signal } = untilInterrupted()
  const redisUrl = options.redisUrl ?? readConfig().redisUrl
  let ready = false
  const fleet = await startFleet({
    port: options.port,
    dataDir: options.data,
    llmWorkers: options.llmWorkers,
    toolWorkers: options.toolWorkers,
    ...(redisUrl ? { redisUrl } : {}),
    signal,
    log: context.note,
    onEvent: (event) => {
      if ((ready || event.type === 'died') && !signal.aborted) context.note(eventText(event))
    },
  })
  ready = true
  if (context.json)
    context.printJson({
      ready: true,
      url: fleet.url,
      redisUrl: fleet.redisUrl,
      dataDir: fleet.dataDir,
      scripted: fleet.ledger !== null,
      ledger: fleet.ledger,
      pids: fleet.pids(),
    })
  else {
    for (const text of fleetTable(fleet, context.screen.width)) context.print(text)
    context.print('')
    if (fleet.ledger !== null) context.print(scriptedNotice)
    context.print(`API: ${fleet.url}   pages: ${fleet.url}/docs   logs: ${fleet.dataDir}/logs`)
    context.print('Ctrl-C stops all.')
  }
  await stayUp(fleet, signal, context.note)
}
