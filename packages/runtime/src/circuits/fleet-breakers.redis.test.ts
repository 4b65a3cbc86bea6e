// The circuits of a fleet: several workers' breakers on one real Redis. Opening, and the probe.
import { eventually } from '@stepfleet/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CircuitBench, startCircuitBench } from './circuit-bench.fixture.ts'
import { breakDown, holdProbe, isRefused } from './fleet-breakers.fixture.ts'

let bench: CircuitBench
beforeAll(async () => {
  bench = await startCircuitBench()
})
afterAll(() => bench.redis.stop())
beforeEach(() => bench.begin())
afterEach(() => bench.fleet.stop())

describe('opening', () => {
  it('in one worker opens it in all, and says why', async () => {
    const [one, ...others] = await bench.join(3)
    if (!one) return
    await breakDown(one, bench.name)
    for (const member of others) {
      await bench.knowsOpen(member)
      expect(await member.call(bench.name)).toMatchObject({
        dependency: bench.name,
        message: expect.stringMatching(/ is open since \d\d:\d\d:\d\dZ \(529 ×5\); next probe at \d\d:\d\d:\d\dZ$/),
      })
      // its own states are those of circuits that it has used, and it may never have been let through
      expect(['open', undefined]).toContain(member.breakers.states()[bench.name])
    }
    expect(one.breakers.states()).toEqual({ [bench.name]: 'open' })
    expect(await bench.circuit()).toMatchObject({ state: 'open', why: '529 ×5' })
  })

  it('is known to a worker that has never used it', async () => {
    const [one] = await bench.join(1)
    if (!one) return
    await breakDown(one, bench.name)
    await bench.stateIs('open')
    const [late] = await bench.join(1)
    expect(late?.breakers.isClosed(bench.name)).toBe(false)
    await bench.store.force(bench.name, { force: 'closed', by: 'ada' })
    await eventually(async () => late?.breakers.isClosed(bench.name))
    await bench.store.force(bench.name, { force: 'open', by: 'ada' })
    await eventually(async () => !late?.breakers.isClosed(bench.name))
    expect(late?.breakers.isClosed('anthropic/other')).toBe(true)
  })

  it('follows also in a worker that had closed it by its own count, and after lost messages', async () => {
    const [one, deaf] = await bench.join(2, { refreshMs: 50 })
    if (!one || !deaf) return
    expect(await deaf.call(bench.name)).toBe('well')
    deaf.subscriber.disconnect()
    await breakDown(one, bench.name)
    await bench.knowsOpen(deaf)
    expect(deaf.breakers.states()).toEqual({ [bench.name]: 'open' })
  })

  it('is never done by mistakes of the caller, nor by what was broken off', async () => {
    const members = await bench.join(2)
    for (const member of members) {
      for (let i = 0; i < 30; i += 1) await member.call(bench.name, i % 2 === 0 ? 'caller' : 'nobody')
      expect(member.breakers.states()).toEqual({ [bench.name]: 'closed' })
    }
    expect((await bench.circuit()).epoch).toBe('0')
  })

  it('counts for the whole fleet: five workers with a failure each open it', async () => {
    const members = await bench.join(5)
    for (const member of members) await member.call(bench.name, 'dependency')
    await bench.stateIs('open')
    expect(await bench.circuit()).toMatchObject({ why: '529 ×5' })
    for (const member of members) await bench.knowsOpen(member)
  })

  it('counts what went well in other workers too', async () => {
    const members = await bench.join(5)
    for (const member of members) await member.call(bench.name)
    for (const member of members) await member.call(bench.name, 'dependency')
    await bench.hasCounted({ calls: 10, failed: 5 })
    expect((await bench.circuit()).state).toBe('closed')
    await members[0]?.call(bench.name, 'dependency')
    await bench.stateIs('open')
  })

  it('counts anew after it was closed', async () => {
    for (const member of await bench.join(4)) await member.call(bench.name, 'dependency')
    await bench.hasCounted({ calls: 4, failed: 4 })
    for (const force of ['closed', null] as const) await bench.store.force(bench.name, { force, by: 'ada' })
    for (const member of await bench.join(4)) await member.call(bench.name, 'dependency')
    await bench.hasCounted({ calls: 4, failed: 4 })
    expect((await bench.circuit()).state).toBe('closed')
  })

  it('forgets the calls that have left the window', async () => {
    const [one, two] = await bench.join(2, { windowMs: 100 })
    for (let i = 0; i < 4; i += 1) await one?.call(bench.name, 'dependency')
    await eventually(async () => (await two?.call(bench.name, 'caller')) && (await bench.counted()).failed === 0)
  })

  it('makes a call of a closed circuit wait for nothing', async () => {
    const [one] = await bench.join(1)
    if (!one) return
    vi.spyOn(one.client, 'sendCommand').mockReturnValue(new Promise(() => undefined))
    for (let i = 0; i < 50; i += 1) await one.call(bench.name, i % 10 === 0 ? 'dependency' : 'well')
    expect(one.breakers.states()).toEqual({ [bench.name]: 'closed' })
  })

  it('under an epoch that is over changes nothing', async () => {
    await bench.join(1)
    await bench.store.force(bench.name, { force: 'closed', by: 'ada' })
    await bench.store.force(bench.name, { force: null, by: 'ada' })
    const { epoch } = await bench.circuit()
    expect(await bench.store.trip(bench.name, '0', 'late')).toMatchObject({
      verdict: 'kept',
      circuit: { state: 'closed', epoch },
    })
    expect(await bench.store.trip(bench.name, epoch, 'now')).toMatchObject({
      verdict: 'opened',
      circuit: { state: 'open' },
    })
  })
})

describe('the probe', () => {
  it('is one call of 4 × 50, in the whole fleet', async () => {
    const members = await bench.join(4, { resetMs: 50 })
    await bench.open(members)
    const { through, refused } = await bench.storm(members, 50)
    expect([through.length, refused]).toEqual([1, 199])
    expect((await bench.circuit()).state).toBe('halfOpen')
    expect(await members[0]?.call(bench.name)).toMatchObject({
      message: expect.stringContaining('a probe is under way'),
    })
    through[0]?.end()
    await bench.stateIs('recovering')
  })

  it('that fails opens it again, for twice as long, up to a limit', async () => {
    const [one] = await bench.join(1, { resetMs: 20, maxResetMs: 50 })
    if (!one) return
    await bench.open([one])
    for (const [probes, resetMs] of [
      [1, 40],
      [2, 50],
      [3, 50],
    ] as const) {
      await eventually(async () => !isRefused(await one.call(bench.name, 'dependency')), {
        what: 'a probe',
        everyMs: 5,
      })
      const now = await eventually(async () => {
        const seen = await bench.store.read(bench.name)
        return seen.circuit.state === 'open' ? seen.circuit : undefined
      })
      expect(now.probeAtMs - now.atMs).toBe(resetMs)
      expect(await bench.store.read(bench.name)).toMatchObject({ circuit: { probes } })
    }
  })

  it('that is slow is no success', async () => {
    const [one] = await bench.join(1, { resetMs: 10, slowCallMs: 1 })
    if (!one) return
    await bench.open([one])
    const probe = await holdProbe(one, bench.name)
    await new Promise((resolve) => setTimeout(resolve, 5))
    probe.end()
    expect(await probe.result).toBe('well')
    await eventually(async () => (await bench.circuit()).why === 'slow')
    expect((await bench.circuit()).state).toBe('open')
  })

  it('that we broke off gives its lease back and says nothing', async () => {
    const [one, two] = await bench.join(2, { resetMs: 50 })
    if (!one || !two) return
    await bench.open([one, two])
    await eventually(async () => !isRefused(await one.call(bench.name, 'nobody')), { what: 'the probe' })
    await eventually(async () => (await two.call(bench.name)) === 'well', { what: 'the next probe' })
    await bench.stateIs('recovering')
    expect((await bench.circuit()).why).toBe('529 ×4')
  })

  it('of a worker that died is another’s when its lease is over, and its late word counts for nothing', async () => {
    const [one, two] = await bench.join(2, { resetMs: 20, leaseMs: 150 })
    if (!one || !two) return
    await bench.open([one, two])
    await holdProbe(one, bench.name)
    // as long as it lives it keeps the lease, however long the call takes
    const lease = (await bench.circuit()).probeUntilMs
    await eventually(async () => (await bench.circuit()).probeUntilMs > lease + 150)
    expect(isRefused(await two.call(bench.name))).toBe(true)
    one.kill()
    await eventually(async () => (await two.call(bench.name)) === 'well', { what: 'a probe by the other' })
    await bench.stateIs('recovering')
    const { epoch } = await bench.circuit()
    expect(await bench.store.report(bench.name, 'a token of the past', { is: 'failed', label: 'late' })).toMatchObject({
      verdict: 'late',
      circuit: { state: 'recovering', epoch },
    })
  })
})
