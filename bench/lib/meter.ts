// What a stretch of work costs: CPU time of each process, and what Redis did in it.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Redis } from 'ioredis'
import { REPOSITORY } from './fleet.ts'

/** Seconds of CPU that a process has used. Linux counts in hundredths of a second. */
const cpuSeconds = (pid: number): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return 0
  }
}

export interface RedisCommand {
  name: string
  calls: number
  usec: number
}

export interface Cost {
  seconds: number
  /** Process name → cores used. */
  cpu: Record<string, number>
  commands: RedisCommand[]
  /** Round of the event loop of Redis per second; each ends with at most one fsync when it must sync always. */
  aofDelayed: number
}

const commandsOf = (info: string): RedisCommand[] =>
  [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)].map(([, name = '', calls, usec]) => ({
    name,
    calls: Number(calls),
    usec: Number(usec),
  }))

export class Meter {
  readonly #redis: Redis
  readonly #pids: () => Record<string, number>
  #startedMs = 0
  #before: Record<string, number> = {}

  constructor(redisUrl: string, pids: () => Record<string, number>) {
    this.#redis = new Redis(redisUrl)
    this.#pids = pids
  }

  #cpu(): Record<string, number> {
    const all = { ...this.#pids(), bench: process.pid }
    return Object.fromEntries(Object.entries(all).map(([name, pid]) => [name, cpuSeconds(pid)]))
  }

  async start(): Promise<void> {
    await this.#redis.config('RESETSTAT')
    this.#before = this.#cpu()
    this.#startedMs = performance.now()
  }

  async stop(): Promise<Cost> {
    const seconds = (performance.now() - this.#startedMs) / 1_000
    const after = this.#cpu()
    const [stats, persistence] = await Promise.all([this.#redis.info('commandstats'), this.#redis.info('persistence')])
    const cpu = Object.fromEntries(
      Object.entries(after).map(([name, used]) => [name, (used - (this.#before[name] ?? 0)) / seconds]),
    )
    const commands = commandsOf(stats).sort((a, b) => b.usec - a.usec)
    return { seconds, cpu, commands, aofDelayed: Number(/aof_delayed_fsync:(\d+)/.exec(persistence)?.[1] ?? 0) }
  }

  async usedMemory(): Promise<number> {
    return Number(/used_memory:(\d+)/.exec(await this.#redis.info('memory'))?.[1] ?? 0)
  }

  /** From here on every command is kept with its time, until `scripts`. Costs some of Redis's time itself. */
  async watchScripts(): Promise<void> {
    await this.#redis.config('SET', 'slowlog-max-len', '400000')
    await this.#redis.config('SET', 'slowlog-log-slower-than', '0')
    await this.#redis.slowlog('RESET')
  }

  /** Time of each script and command since `watchScripts`, by name. */
  async scripts(): Promise<RedisCommand[]> {
    await this.#redis.config('SET', 'slowlog-log-slower-than', '-1')
    const log = (await this.#redis.slowlog('GET', '400000')) as [number, number, number, string[]][]
    const names = scriptNames()
    const sums = new Map<string, RedisCommand>()
    for (const [, , usec, args] of log) {
      const [command = '', sha = ''] = args
      const name = /^evalsha$/i.test(command) ? (names.get(sha) ?? `script ${sha.slice(0, 8)}`) : command.toLowerCase()
      const sum = sums.get(name) ?? { name, calls: 0, usec: 0 }
      sum.calls += 1
      sum.usec += usec
      sums.set(name, sum)
    }
    return [...sums.values()].sort((a, b) => b.usec - a.usec)
  }

  close(): void {
    this.#redis.disconnect()
  }
}

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')

const filesUnder = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesUnder(join(dir, entry.name)) : [join(dir, entry.name)],
  )

/** SHA-1 → name of our scripts and of BullMQ's. */
const scriptNames = (): Map<string, string> => {
  const names = new Map<string, string>()
  for (const dir of ['packages/runtime/dist', 'services/orchestrator/dist', 'services/escalation/dist']) {
    for (const file of filesUnder(join(REPOSITORY, dir)).filter((name) => name.endsWith('.lua')))
      names.set(sha1(readFileSync(file, 'utf8')), file.slice(file.lastIndexOf('/') + 1))
  }
  const require = createRequire(join(REPOSITORY, 'packages/runtime/package.json'))
  const bull = join(dirname(require.resolve('bullmq')), 'scripts')
  for (const file of readdirSync(bull).filter((name) => name.endsWith('.js') && name !== 'index.js')) {
    const loaded = require(join(bull, file)) as Record<string, { name?: string; content?: string } | undefined>
    for (const script of Object.values(loaded)) {
      if (script?.content) names.set(sha1(script.content), `bullmq ${script.name ?? file}`)
    }
  }
  return names
}
