// For tests of the fleet's circuits: several workers' breakers on one Redis, and calls that end as told.
import { eventually } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { createLogger } from '../logger.ts'
import type { Blame } from './call.ts'
import { CircuitOpen } from './circuit-open.ts'
import { createFleetBreakers, type FleetBreakers, type FleetBreakersTuning } from './fleet-breakers.ts'

export class Fault extends Error {
  readonly blame: Blame
  constructor(blame: Blame) {
    super(blame)
    this.blame = blame
  }
}

const logger = createLogger('test', 'silent')

/** One worker's breakers with connections of their own. */
export interface Member {
  breakers: FleetBreakers
  client: Redis
  subscriber: Redis
  /** What a call ends with: its value, or what it throws. */
  call(dependency: string, ends?: Blame | 'well'): Promise<unknown>
  /** As a process that is killed: no more leases, reports or news. */
  kill(): void
}

export class Fleet {
  readonly #members: Member[] = []

  async join(url: string, tuning: Partial<FleetBreakersTuning> = {}): Promise<Member> {
    const connect = (): Redis => {
      const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
      redis.on('error', () => {})
      return redis
    }
    const [client, subscriber] = [connect(), connect()]
    const breakers = createFleetBreakers({
      ...{ client, subscriber, logger },
      blame: (error) => (error instanceof Fault ? error.blame : 'nobody'),
      label: () => '529',
      tuning: { spreadMs: 1, ...tuning },
    })
    const member: Member = {
      ...{ breakers, client, subscriber },
      call: (dependency, ends = 'well') =>
        breakers
          .run(dependency, async () => {
            if (ends !== 'well') throw new Fault(ends)
            return 'well'
          })
          .catch((error: unknown) => error),
      kill: () => {
        breakers.stop()
        client.disconnect()
        subscriber.disconnect()
      },
    }
    this.#members.push(member)
    await breakers.start()
    return member
  }

  joinAll(count: number, url: string, tuning: Partial<FleetBreakersTuning> = {}): Promise<Member[]> {
    return Promise.all(Array.from({ length: count }, () => this.join(url, tuning)))
  }

  stop(): void {
    for (const member of this.#members.splice(0)) member.kill()
  }
}

/** By its own calls. */
export const breakDown = async (member: Member, dependency: string, times = 5): Promise<void> => {
  for (let i = 0; i < times; i += 1) await member.call(dependency, 'dependency')
}

export const isRefused = (given: unknown): given is CircuitOpen => given instanceof CircuitOpen

export interface Held {
  result: Promise<unknown>
  /** Resolves when the call was let through (true) or refused. */
  begun: Promise<boolean>
  end(how?: Blame | 'well'): void
}

/** A call that ends when told to. */
export const hold = ({ breakers }: Member, dependency: string): Held => {
  let begin = (_begun: boolean): void => {}
  let end: Held['end'] = () => {}
  const begun = new Promise<boolean>((resolve) => {
    begin = resolve
  })
  const gate = new Promise<string>((resolve, reject) => {
    end = (how = 'well') => (how === 'well' ? resolve('well') : reject(new Fault(how)))
  })
  // one that never began has nobody to hear of its end
  gate.catch(() => undefined)
  const result = breakers
    .run(dependency, () => {
      begin(true)
      return gate
    })
    .catch((error: unknown) => error)
    .finally(() => begin(false))
  return { result, begun, end: (how) => end(how) }
}

/** The first call that is let through, as soon as one is. */
export const holdProbe = (member: Member, dependency: string): Promise<Held> =>
  eventually(
    async () => {
      const one = hold(member, dependency)
      return (await one.begun) ? one : null
    },
    { what: 'a call let through' },
  )
