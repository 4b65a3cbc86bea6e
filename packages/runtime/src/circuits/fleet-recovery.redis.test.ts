// The circuits of a fleet: recovery in waves, an operator's hand, and what Redis keeps.
import { circuitKey, FLEET } from '@stepfleet/contracts'
import { eventually } from '@stepfleet/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CircuitBench, startCircuitBench } from './circuit-bench.fixture.ts'
import { breakDown, hold, holdProbe, isRefused } from './fleet-breakers.fixture.ts'

let bench: CircuitBench
beforeAll(async () => {
  bench = await startCircuitBench()
})
afterAll(() => bench.redis.stop())
beforeEach(() => bench.begin())
afterEach(() => bench.fleet.stop())

describe('the recovery', () => {
  it('lets calls through in growing waves, then closes', async () => {
    const members = await bench.join(3, { resetMs: 20, waveMs: 60_000, lastWave: 8 })
    await bench.recover(members)
    for (const size of [2, 4, 8]) {
      const { through, refused } = await bench.storm(members, 10)
      expect([through.length, refused]).toEqual([size, 30 - size])
      for (const one of through) one.end()
      if (size < 8) await eventually(async () => (await bench.circuit()).wave === size * 2)
    }
    await bench.stateIs('closed')
    await eventually(async () => (await bench.storm(members, 10)).refused === 0, { what: 'all calls through' })
    // and is forgotten when it stays so
    expect(await members[0]?.client.pttl(circuitKey(bench.name))).toBeGreaterThan(3_000_000)
  })

  it('sends those it refuses to the waves to come', async () => {
    const [one] = await bench.join(1, { resetMs: 20, waveMs: 1_000, lastWave: 8 })
    if (!one) return
    await bench.recover([one])
    const calls = Array.from({ length: 20 }, () => hold(one, bench.name))
    const begun = await Promise.all(calls.map((call) => call.begun))
    expect(begun.filter(Boolean)).toHaveLength(2)
    const ends = await Promise.all(calls.filter((_, i) => !begun[i]).map(({ result }) => result))
    const waits = ends.flatMap((end) => (isRefused(end) ? [end.retryAfterMs] : []))
    expect(waits).toHaveLength(18)
    // four in the second window, eight in the third, the rest when it should be closed
    expect(waits.map((ms) => Math.floor(ms / 1_000)).sort()).toEqual([
      1,
      1,
      1,
      1,
      ...Array(8).fill(2),
      ...Array(6).fill(3),
    ])
    for (const call of calls) call.end()
  })

  it('ends at a failure in a small wave', async () => {
    const members = await bench.join(2, { resetMs: 30 })
    await bench.recover(members)
    const { through } = await bench.storm(members, 3)
    expect(through).toHaveLength(2)
    for (const one of through) one.end('dependency')
    await bench.stateIs('open')
    expect(await bench.store.read(bench.name)).toMatchObject({ circuit: { probes: 1 } })
  })

  it('bears one failure in a wave of four, and a caller’s mistakes in any', async () => {
    const members = await bench.join(1, { resetMs: 30, waveMs: 60_000, lastWave: 4 })
    await bench.recover(members)
    for (const one of (await bench.storm(members, 5)).through) one.end('caller')
    await eventually(async () => (await bench.circuit()).wave === 4)
    const { through } = await bench.storm(members, 5)
    for (const [i, one] of through.entries()) one.end(i === 0 ? 'dependency' : 'well')
    await bench.stateIs('closed')
  })

  it('goes on when fewer calls come than a wave admits', async () => {
    const [one] = await bench.join(1, { resetMs: 20, waveMs: 10, lastWave: 8 })
    if (!one) return
    await bench.recover([one])
    await eventually(async () => (await one.call(bench.name)) === 'well' && (await bench.circuit()).state === 'closed')
  })

  it('is not held up by calls of a worker that died, nor by calls that were broken off', async () => {
    const members = await bench.join(2, { resetMs: 20, waveMs: 10, waveLeaseMs: 100, lastWave: 2 })
    await bench.recover(members)
    const [dying, other] = members
    if (!dying || !other) return
    const { through } = await bench.storm([dying], 2)
    expect(through).toHaveLength(2)
    expect(isRefused(await other.call(bench.name))).toBe(true)
    dying.kill()
    await eventually(async () => !isRefused(await other.call(bench.name, 'nobody')), { what: 'room' })
    await eventually(
      async () => (await other.call(bench.name)) === 'well' && (await bench.circuit()).state === 'closed',
    )
  })
})

describe('an operator', () => {
  it('forces it open for all, whatever calls do, and lets go with a probe', async () => {
    const members = await bench.join(2)
    await bench.store.force(bench.name, { force: 'open', by: 'ada', reason: 'maintenance' })
    for (const member of members) {
      await bench.knowsOpen(member)
      expect(await member.call(bench.name)).toMatchObject({
        message: expect.stringMatching(/^circuit .* was forced open at \d\d:\d\d:\d\dZ by ada: maintenance$/),
      })
    }
    expect(await members[0]?.client.pttl(circuitKey(bench.name))).toBe(-1)
    await bench.store.force(bench.name, { force: null, by: 'ada' })
    const [first] = members
    const probe = first && (await holdProbe(first, bench.name))
    expect((await bench.circuit()).state).toBe('halfOpen')
    probe?.end()
    await bench.stateIs('recovering')
  })

  it('forces it closed: every call goes through, and none opens it', async () => {
    const members = await bench.join(2)
    await bench.open(members)
    await bench.store.force(bench.name, { force: 'closed', by: 'ada' })
    for (const member of members) {
      await eventually(async () => (await member.call(bench.name)) === 'well')
      await breakDown(member, bench.name, 20)
      expect(await member.call(bench.name)).toBe('well')
    }
    expect(await bench.circuit()).toMatchObject({ state: 'closed', forced: 'closed' })
    const again = await bench.store.force(bench.name, { force: 'closed', by: 'ada' })
    expect(again.verdict).toBe('kept')
    await bench.store.force(bench.name, { force: null })
    await eventually(async () => (await bench.circuit()).forced === null)
  })
})

describe('the circuits in Redis', () => {
  it('are known to a worker that starts, and outlive Redis’s scripts and Redis itself', async () => {
    const [one] = await bench.join(1)
    if (!one) return
    await bench.open([one])
    await one.client.script('FLUSH')
    const [late] = await bench.join(1)
    expect(isRefused(await late?.call(bench.name))).toBe(true)
    bench.fleet.stop()
    await bench.redis.restart()
    const [anew] = await bench.join(1)
    expect(isRefused(await anew?.call(bench.name))).toBe(true)
  })

  it('are listed; names of those that were forgotten are not', async () => {
    const [one] = await bench.join(1)
    if (!one) return
    await bench.open([one])
    await one.client.zadd(FLEET.circuits, 1_000, 'http:forgotten')
    expect((await bench.store.list()).map(({ circuit }) => circuit.dependency)).toContain(bench.name)
    expect(await one.client.zscore(FLEET.circuits, 'http:forgotten')).toBeNull()
    await one.client.zadd(FLEET.circuits, Date.now(), 'http:about-to-open')
    await bench.store.list()
    expect(await one.client.zscore(FLEET.circuits, 'http:about-to-open')).not.toBeNull()
  })

  it('are closed for workers when Redis has forgotten them', async () => {
    const [one] = await bench.join(1, { refreshMs: 30 })
    if (!one) return
    await bench.open([one])
    await one.client.del(circuitKey(bench.name))
    await eventually(async () => (await one.call(bench.name)) === 'well')
    expect(one.breakers.states()).toEqual({ [bench.name]: 'closed' })
  })

  it('are each worker’s own beyond the limit', async () => {
    const [one] = await bench.join(1, { maxShared: 0 })
    if (!one) return
    await breakDown(one, bench.name)
    expect(isRefused(await one.call(bench.name))).toBe(true)
    expect((await bench.circuit()).epoch).toBe('0')
  })
})
