// For tests of one circuit of a fleet on a real Redis: brings it where a test begins, and storms it.
import { isDeepStrictEqual } from 'node:util'
import { circuitCallsKey } from '@stepfleet/contracts'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { type CircuitStore, createCircuitStore } from './circuit-store.ts'
import { breakDown, Fleet, type Held, hold, isRefused, type Member } from './fleet-breakers.fixture.ts'

export class CircuitBench {
  readonly redis: TestRedis
  readonly fleet = new Fleet()
  /** The circuit of this test. */
  name = ''
  #store: CircuitStore | undefined
  #client: Member['client'] | undefined
  #tests = 0

  constructor(redis: TestRedis) {
    this.redis = redis
  }

  /** Another circuit for each test: what is late from the test before must not touch it. */
  begin(): void {
    this.#tests += 1
    this.name = `anthropic/claude-${this.#tests}`
  }

  async join(count: number, tuning: Parameters<Fleet['joinAll']>[2] = {}): Promise<Member[]> {
    const members = await this.fleet.joinAll(count, this.redis.url, tuning)
    const last = members.at(-1)
    this.#client = last?.client
    if (last) this.#store = createCircuitStore(last.client)
    return members
  }

  /** Over the connection of the last one who joined. */
  get store(): CircuitStore {
    if (!this.#store) throw new Error('nobody has joined')
    return this.#store
  }

  async circuit() {
    return (await this.store.read(this.name)).circuit
  }

  stateIs(state: string): Promise<true> {
    return eventually(async () => (await this.circuit()).state === state, { what: `state ${state}` })
  }

  /** What Redis has counted under the present epoch. */
  async counted(): Promise<{ calls: number; failed: number }> {
    const { epoch } = await this.circuit()
    const fields = Object.entries((await this.#client?.hgetall(circuitCallsKey(this.name, epoch))) ?? {})
    const sum = (of: typeof fields): number => of.reduce((all, [, count]) => all + Number(count), 0)
    const isCalls = ([field]: [string, string]): boolean => field.endsWith('|')
    return { calls: sum(fields.filter(isCalls)), failed: sum(fields.filter((one) => !isCalls(one))) }
  }

  hasCounted(expected: { calls: number; failed: number }): Promise<true> {
    return eventually(async () => isDeepStrictEqual(await this.counted(), expected), { what: JSON.stringify(expected) })
  }

  /** Refused by what it knows. */
  knowsOpen(member: Member): Promise<true> {
    return eventually(async () => isRefused(await member.call(this.name)), { what: 'a refusal' })
  }

  /** Without a call once it is open: that might be the probe. */
  async open(members: readonly Member[]): Promise<void> {
    const [first] = members
    if (!first) throw new Error('no member')
    for (const member of members) await member.call(this.name)
    await breakDown(first, this.name)
    const known = (member: Member): boolean => member.breakers.states()[this.name] === 'open'
    await eventually(async () => (await this.circuit()).epoch !== '0' && members.every(known), { what: 'opening' })
  }

  /** Opens it and brings it to the first wave, of two. */
  async recover(members: readonly Member[]): Promise<void> {
    await this.open(members)
    await eventually(async () => (await members[0]?.call(this.name)) === 'well', { what: 'the probe' })
    await this.stateIs('recovering')
  }

  /** So many calls at once, over all members, as soon as one has the news; those let through are under way. */
  storm(members: readonly Member[], each: number): Promise<{ through: Held[]; refused: number }> {
    return eventually(
      async () => {
        const seen = await this.#stormOnce(members, each)
        return seen.through.length > 0 ? seen : null
      },
      { what: 'a call let through' },
    )
  }

  async #stormOnce(members: readonly Member[], each: number): Promise<{ through: Held[]; refused: number }> {
    const calls = members.flatMap((member) => Array.from({ length: each }, () => hold(member, this.name)))
    const begun = await Promise.all(calls.map((one) => one.begun))
    const through = calls.filter((_, i) => begun[i])
    return { through, refused: calls.length - through.length }
  }
}

export const startCircuitBench = async (): Promise<CircuitBench> => new CircuitBench(await startRedis())
