// The limits of model providers over Redis, standalone or Cluster: one script for each question, all keys of a
// provider in one slot. There is no shortcut past Redis, not even for a pause that is known here: the very answer that
// refuses a task is what hands it its ticket, and who has none comes back in a herd.
import type { ClientContext, Result } from 'ioredis'
import { z } from 'zod'
import type { Logger } from '../logger.ts'
import { luaScript, type RedisClient } from '../redis.ts'
import {
  checkAsk,
  checkTokens,
  type DependencyLimits,
  type DependencyState,
  LIMIT_TUNING,
  type LimitAnswer,
  type LimitAsk,
  type LimitsOf,
  type LimitTuning,
  type Permit,
  type ProviderLimits,
  refusal,
  requestBurstUs,
  splitDependency,
  type Tokens,
} from './port.ts'

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sfProviderTidy(...args: string[]): Result<number, Context>
    sfProviderAcquire(...args: string[]): Result<unknown, Context>
    sfProviderSettle(...args: string[]): Result<number, Context>
    sfProviderPause(...args: string[]): Result<number, Context>
    sfProviderRenew(...args: string[]): Result<number, Context>
  }
}

/** Set of the dependencies that were ever asked for; what has vanished is taken out by who looks. */
const KNOWN = 'sf:{fleet}:limited'
const MINUTE_MS = 60_000

const script = (file: string) => luaScript(new URL(`../lua/${file}.lua`, import.meta.url))

const defineCommands = (client: RedisClient): void => {
  client.defineCommand('sfProviderTidy', script('provider-tidy.6'))
  // two files, one script: the first half works out the slot, the second acts on it
  const [slot, acquire] = [script('provider-slot.7'), script('provider-acquire.7')]
  client.defineCommand('sfProviderAcquire', { ...acquire, lua: `${slot.lua}\n${acquire.lua}` })
  client.defineCommand('sfProviderSettle', script('provider-settle.5'))
  client.defineCommand('sfProviderPause', script('provider-pause.1'))
  client.defineCommand('sfProviderRenew', script('provider-renew.2'))
}

const keysOf = (dependency: string) => {
  const { provider, model } = splitDependency(dependency)
  const tag = `sf:{p:${provider}}`
  const of = (name: string): string => `${tag}:${model}:${name}`
  return {
    state: of('state'),
    tickets: of('tickets'),
    returns: of('returns'),
    permits: of('permits'),
    places: of('places'),
    // no model is named so: its keys have one part more
    providerPlaces: `${tag}:places`,
    used: of('used'),
  }
}

const placeName = ({ dependency, task }: LimitAsk): string => `${splitDependency(dependency).model} ${task}`
const us = (ms: number): string => String(Math.round(ms * 1_000))

const rateArgs = (limits: DependencyLimits): string[] =>
  [limits.requestsPerMinute, limits.inputTokensPerMinute, limits.outputTokensPerMinute].map((limit) => `${limit ?? 0}`)

const acquired = z.union([
  z.tuple([z.literal(1), z.coerce.number()]).transform(([, atUs]) => ({ granted: true as const, atUs })),
  z
    .tuple([
      z.literal(0),
      z.coerce.number(),
      z.int(),
      z.enum([
        'paused',
        'recovering',
        'requests',
        'input_tokens',
        'output_tokens',
        'concurrency',
        'provider_concurrency',
      ]),
      z.string(),
    ])
    .transform(([, waitUs, ahead, reason, pauseWhy]) => ({ granted: false as const, waitUs, ahead, reason, pauseWhy })),
])

const stateSchema = z.object({
  until: z.coerce.number().default(0),
  why: z.string().default(''),
  queued1: z.coerce.number().default(0),
  served1: z.coerce.number().default(0),
  limits: z.string().default('0 0 0 0 0'),
})

const readLimits = (text: string): DependencyLimits => {
  const [requestsPerMinute, inputTokensPerMinute, outputTokensPerMinute, concurrency, providerConcurrency] = text
    .split(' ')
    .map((part) => Number(part) || null)
  return {
    requestsPerMinute: requestsPerMinute ?? null,
    inputTokensPerMinute: inputTokensPerMinute ?? null,
    outputTokensPerMinute: outputTokensPerMinute ?? null,
    concurrency: concurrency ?? null,
    providerConcurrency: providerConcurrency ?? null,
  }
}

class RedisProviderLimits implements ProviderLimits {
  readonly #client: RedisClient
  readonly #limitsOf: LimitsOf
  readonly #tuning: LimitTuning
  readonly #logger: Logger
  readonly #tuningArgs: string[]
  /** Not settled yet: their leases are renewed. By token. */
  readonly #open = new Map<string, Permit>()
  readonly #told = new Set<string>()
  readonly #forget = (): void => this.#told.clear()
  #timer: NodeJS.Timeout | undefined
  #renewing = false

  constructor(client: RedisClient, limitsOf: LimitsOf, logger: Logger, tuning: LimitTuning) {
    this.#client = client
    this.#limitsOf = limitsOf
    this.#tuning = tuning
    this.#logger = logger
    const { burstMs, lateMs, nearMs, farMs, leaseMs, placeMs, waveStart, waveDoubleMs, waveSpanMs } = tuning
    const times = [burstMs, lateMs, nearMs, farMs, leaseMs, placeMs].map(us)
    this.#tuningArgs = [...times, `${waveStart}`, us(waveDoubleMs), us(waveSpanMs)]
  }

  start(): void {
    defineCommands(this.#client)
    // what came back may have forgotten
    this.#client.on('ready', this.#forget)
    this.#timer = setInterval(() => void this.#renew(), this.#tuning.leaseMs / 3)
    this.#timer.unref()
  }

  async acquire(ask: LimitAsk): Promise<LimitAnswer> {
    checkAsk(ask)
    const { dependency, task, token, tokens } = ask
    const keys = keysOf(dependency)
    const { state, tickets, returns, permits, places, providerPlaces, used } = keys
    const limits = this.#limitsOf(dependency)
    const work = [`${tokens.input}`, `${tokens.output}`]
    const { lateMs, forgottenMs } = this.#tuning
    const place = placeName(ask)
    // sent together, served in this order; each is harmless when it comes again
    const tidied = this.#client.sfProviderTidy(
      ...[state, tickets, returns, permits, places, providerPlaces],
      ...[us(lateMs), us(forgottenMs), task, token, place, ...work],
    )
    const asked = this.#client.sfProviderAcquire(
      ...[state, tickets, returns, permits, places, providerPlaces, used],
      ...[task, token, place, ...work, ...rateArgs(limits)],
      ...[`${limits.concurrency ?? 0}`, `${limits.providerConcurrency ?? 0}`],
      ...[`${requestBurstUs(limits.requestsPerMinute, this.#tuning.burstMs)}`, ...this.#tuningArgs],
    )
    const [answer] = await Promise.all([asked, tidied, this.#tell(dependency)])
    const read = acquired.parse(answer)
    if (!read.granted) {
      const { waitUs, ahead, reason, pauseWhy } = read
      return refusal(dependency, { retryAfterMs: Math.max(1, Math.ceil(waitUs / 1_000)), ahead, reason, pauseWhy })
    }
    const permit = { ...ask, atMs: Math.floor(read.atUs / 1_000) }
    this.#open.set(token, permit)
    return { granted: true, permit }
  }

  async settle(permit: Permit, used: Tokens | null): Promise<void> {
    if (used) checkTokens(used)
    this.#open.delete(permit.token)
    const { dependency, task, token, tokens } = permit
    const { state, permits, places, providerPlaces, used: counted } = keysOf(dependency)
    await this.#client.sfProviderSettle(
      ...[state, permits, places, providerPlaces, counted],
      ...[task, token, placeName(permit), `${tokens.input}`, `${tokens.output}`],
      ...(used ? [`${used.input}`, `${used.output}`] : ['', '']),
      ...rateArgs(this.#limitsOf(dependency)),
    )
  }

  async pause(dependency: string, forMs: number, why: string): Promise<void> {
    const ms = Math.min(forMs, this.#tuning.longestPauseMs)
    await Promise.all([
      this.#client.sfProviderPause(keysOf(dependency).state, us(ms), why.slice(0, 300)),
      this.#tell(dependency),
    ])
  }

  async states(): Promise<DependencyState[]> {
    const known = await this.#client.smembers(KNOWN)
    const states = await Promise.all(known.sort().map((dependency) => this.#state(dependency)))
    return states.filter((state) => state !== null)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#client.off('ready', this.#forget)
    this.#open.clear()
  }

  async #state(dependency: string): Promise<DependencyState | null> {
    const keys = keysOf(dependency)
    const [time, fields, counts] = await Promise.all([
      this.#client.time(),
      this.#client.hgetall(keys.state),
      this.#client.hgetall(keys.used),
    ])
    if (Object.keys(fields).length === 0) {
      await this.#client.srem(KNOWN, dependency)
      return null
    }
    const nowUs = Number(time[0]) * 1_000_000 + Number(time[1])
    const [running, providerRunning] = await Promise.all(
      [keys.places, keys.providerPlaces].map((key) => this.#client.zcount(key, `(${nowUs}`, '+inf')),
    )
    const { until, why, queued1, served1, limits } = stateSchema.parse(fields)
    const nowMs = nowUs / 1_000
    const minute = Math.floor(nowMs / MINUTE_MS)
    const share = 1 - (nowMs % MINUTE_MS) / MINUTE_MS
    const used = (d: number): number =>
      Math.round(Number(counts[`${minute}:${d}`] ?? 0) + Number(counts[`${minute - 1}:${d}`] ?? 0) * share)
    return {
      dependency,
      limits: readLimits(limits),
      waiting: queued1 - served1,
      running: running ?? 0,
      providerRunning: providerRunning ?? 0,
      used: { requests: used(1), inputTokens: used(2), outputTokens: used(3) },
      paused: until > nowUs ? { untilMs: Math.ceil(until / 1_000), why } : null,
    }
  }

  async #tell(dependency: string): Promise<void> {
    if (this.#told.has(dependency)) return
    await this.#client.sadd(KNOWN, dependency)
    this.#told.add(dependency)
  }

  /** One round at a time: while Redis is away they must not pile up. */
  async #renew(): Promise<void> {
    if (this.#renewing || this.#open.size === 0) return
    this.#renewing = true
    try {
      const lease = us(this.#tuning.leaseMs)
      await Promise.all(
        [...this.#open.values()].map((permit) => {
          const { places, providerPlaces } = keysOf(permit.dependency)
          return this.#client.sfProviderRenew(places, providerPlaces, lease, permit.task, placeName(permit))
        }),
      )
    } catch (error) {
      this.#logger.warn({ err: error }, 'the places of calls under way could not be renewed')
    } finally {
      this.#renewing = false
    }
  }
}

/** Over a connection that stays its maker's to close, after `stop`. */
export const createRedisProviderLimits = (options: {
  client: RedisClient
  limitsOf: LimitsOf
  logger: Logger
  tuning?: Partial<LimitTuning>
}): ProviderLimits => {
  const { client, limitsOf, logger, tuning } = options
  const limits = new RedisProviderLimits(client, limitsOf, logger, { ...LIMIT_TUNING, ...tuning })
  limits.start()
  return limits
}
