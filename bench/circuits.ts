// From the opening of a circuit in one process to the first refusal in each of the others:
// `npx tsx --conditions=source bench/circuits.ts [--workers 8] [--times 100] [--fsync always]`.
//
// The others call without a break, about once a millisecond, as long as they are let through. One clock: all processes
// are on this machine. Ends with 1 when one took longer than 200 ms.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { CircuitOpen, connectRedis, createFleetBreakers, createLogger, type FleetBreakers } from '@stepfleet/runtime'
import { startRedis } from '@stepfleet/testkit'
import { median, printTable, quantile } from './lib/results.ts'

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '8' },
    times: { type: 'string', default: '100' },
    fsync: { type: 'string', default: 'always' },
    member: { type: 'string' },
  },
})
const LIMIT_MS = 200

const logger = createLogger('bench', 'silent')
const nowMs = (): number => performance.timeOrigin + performance.now()
const nextMs = () => new Promise((resolve) => setTimeout(resolve, 1))

const join = async (url: string): Promise<FleetBreakers> => {
  const settings = { STEPFLEET_REDIS_URL: url, STEPFLEET_REDIS_CLUSTER: false, STEPFLEET_ALLOW_VOLATILE: true }
  const connect = (name: string) => connectRedis(settings, { name, logger })
  const breakers = createFleetBreakers({
    ...{ client: connect('bench'), subscriber: connect('bench-circuits'), logger },
    blame: () => 'dependency',
    label: () => '529',
  })
  await breakers.start()
  return breakers
}

/** Calls until it is refused; when that was. `fails`: each call speaks against the dependency. */
const untilRefused = async (breakers: FleetBreakers, dependency: string, fails: boolean): Promise<number> => {
  for (;;) {
    try {
      await breakers.run(dependency, async () => {
        if (fails) throw new Error('529')
      })
    } catch (error) {
      if (error instanceof CircuitOpen) return nowMs()
    }
    if (!fails) await nextMs()
  }
}

const beMember = async (url: string): Promise<void> => {
  const breakers = await join(url)
  process.on('message', async (dependency: string) => {
    await breakers.run(dependency, async () => undefined)
    process.send?.({ called: dependency })
    process.send?.({ atMs: await untilRefused(breakers, dependency, false) })
  })
  process.send?.({ ready: true })
}

const measure = async (): Promise<void> => {
  const redis = await startRedis({ appendfsync: values.fsync === 'everysec' ? 'everysec' : 'always' })
  const args = ['--member', redis.url]
  const members = Array.from({ length: Number(values.workers) - 1 }, () => fork(import.meta.filename, args))
  const all = <T>(): Promise<T[]> =>
    Promise.all(members.map(async (member) => (await once(member, 'message'))[0] as Promise<T>))
  try {
    await all()
    const own = await join(redis.url)
    const tookMs: number[] = []
    for (let i = 0; i < Number(values.times); i += 1) {
      const dependency = `http:bench-${i}`
      const calling = all()
      for (const member of members) member.send(dependency)
      await calling
      const refused = all<{ atMs: number }>()
      const openedMs = await untilRefused(own, dependency, true)
      for (const { atMs } of await refused) tookMs.push(atMs - openedMs)
    }
    const sorted = tookMs.sort((a, b) => a - b)
    const shown = [median(sorted), quantile(sorted, 0.99), sorted.at(-1) ?? 0].map((ms) => `${ms.toFixed(1)} ms`)
    printTable([
      ['openings', 'workers', 'fsync', 'p50', 'p99', 'max'],
      [values.times, values.workers, values.fsync, ...shown],
    ])
    process.exitCode = (sorted.at(-1) ?? Number.POSITIVE_INFINITY) > LIMIT_MS ? 1 : 0
  } finally {
    for (const member of members) member.kill()
    await redis.stop()
  }
}

if (values.member === undefined) {
  await measure()
  process.exit()
} else await beMember(values.member)
