// Laws of claims: granted for what is out, once, to one; whoever answers is heard once.
import type { TaskRef } from '@stepfleet/contracts'
import { expect, it } from 'vitest'
import {
  dispatch,
  endOf,
  expectUnchanged,
  fact,
  type Harness,
  NS,
  type OwnedRun,
  outcome,
  ownedRun,
  waiting,
} from './harness.ts'

const GRANTED = { status: 'granted', atMs: expect.any(Number) }
const refused = (why: string) => ({ status: 'refused', why })

const outRun = async (h: Harness): Promise<{ run: OwnedRun; task: TaskRef }> => {
  const run = await ownedRun(h)
  const ack = (await waiting(h.store, run.shard)).map(({ id }) => id)
  await run.append({ ...dispatch('a'), ack })
  return { run, task: { ns: NS, run: run.run, path: 'a', attempt: 1, delivery: 1 } }
}

const claim = (h: () => Harness): void => {
  it('grants what is out, to one worker, again to the same token', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    const before = await store.now()
    const granted = await claims.claim(task, 'worker-1', 'token-1')
    expect(granted).toEqual(GRANTED)
    const atMs = granted.status === 'granted' ? granted.atMs : 0
    expect(atMs).toBeGreaterThanOrEqual(before)
    await expectUnchanged(h(), run, async () => {
      expect(await claims.claim(task, 'worker-1', 'token-1')).toEqual(granted)
      expect(await claims.claim(task, 'worker-2', 'token-2')).toEqual(refused('held'))
      expect(await claims.claim(task, 'worker-1', 'token-3')).toEqual(refused('held'))
    })
    const entry = { attempt: 1, delivery: 1, worker: 'worker-1', claimedAtMs: atMs, token: 'token-1' }
    expect((await store.out(NS, run.run)).get('a')).toEqual({ ...entry, begun: false, reported: false })
    expect(await store.claimants(run.shard)).toEqual(['worker-1'])
    expect(await store.claimsOf(run.shard, 'worker-1')).toEqual([`${NS}~${run.run}.a.1.1`])
  })

  it('refuses what is not out, and every attempt and delivery but the one that is', async () => {
    const { claims } = h()
    const { run, task } = await outRun(h())
    const none = { ...task, path: 'b' }
    expect(await claims.claim(none, 'worker-1', 'token-1')).toEqual(refused('not_out'))
    await run.append(dispatch('a', 2, 2))
    expect(await claims.claim(task, 'worker-1', 'token-1')).toEqual(refused('superseded'))
    expect(await claims.claim({ ...task, attempt: 2 }, 'worker-1', 'token-1')).toEqual(refused('superseded'))
    expect(await claims.claim({ ...task, attempt: 2, delivery: 2 }, 'worker-1', 'token-1')).toEqual(GRANTED)
    await run.append({ out: { set: [], remove: ['a'] } })
    expect(await claims.claim({ ...task, attempt: 2, delivery: 2 }, 'worker-1', 'token-1')).toEqual(refused('not_out'))
  })

  it('takes the claim away with the field: replaced, removed, or with the end of the run', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    await claims.claim(task, 'worker-1', 'token-1')
    await run.append(dispatch('a', 1, 2))
    expect(await store.claimsOf(run.shard, 'worker-1')).toEqual([])
    await claims.claim({ ...task, delivery: 2 }, 'worker-1', 'token-2')
    await run.append({ out: { set: [{ path: 'b', attempt: 1, delivery: 1 }], remove: ['a'] } })
    expect(await store.claimsOf(run.shard, 'worker-1')).toEqual([])
    await claims.claim({ ...task, path: 'b' }, 'worker-1', 'token-3')
    await run.append(endOf(await run.head()))
    expect(await store.claimsOf(run.shard, 'worker-1')).toEqual([])
  })

  it('forgets a worker without claims, and no other', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    await claims.claim(task, 'worker-1', 'token-1')
    await store.forgetClaimant(run.shard, 'worker-1')
    expect(await store.claimants(run.shard)).toEqual(['worker-1'])
    await run.append({ out: { set: [], remove: ['a'] } })
    expect(await store.claimants(run.shard)).toEqual(['worker-1'])
    await store.forgetClaimant(run.shard, 'worker-1')
    expect(await store.claimants(run.shard)).toEqual([])
  })

  it('tells which attempts are still out', async () => {
    const { claims } = h()
    const { run, task } = await outRun(h())
    const other = { ...task, path: 'b' }
    expect(await claims.stillOut([task, other, { ...task, attempt: 2 }])).toEqual([true, false, false])
    await run.append(dispatch('a', 1, 2))
    expect(await claims.stillOut([task])).toEqual([true])
    await run.append({ out: { set: [], remove: ['a'] } })
    expect(await claims.stillOut([task])).toEqual([false])
    expect(await claims.stillOut([])).toEqual([])
  })
}

const begin = (h: () => Harness): void => {
  it('begins under the token that claimed, as often as it is asked', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    expect(await claims.begin(task, 'token-1')).toBe(false)
    const { atMs } = { atMs: 0, ...(await claims.claim(task, 'worker-1', 'token-1')) }
    expect(await claims.begin(task, 'token-2')).toBe(false)
    expect((await store.out(NS, run.run)).get('a')?.begun).toBe(false)
    expect(await claims.begin(task, 'token-1')).toBe(true)
    expect(await claims.begin(task, 'token-1')).toBe(true)
    expect((await store.out(NS, run.run)).get('a')).toMatchObject({ begun: true, worker: 'worker-1', token: 'token-1' })
    await claims.report(task, 'token-1', outcome(task, atMs))
    expect((await store.out(NS, run.run)).get('a')).toMatchObject({ begun: true, reported: true })
    expect(await claims.begin(task, 'token-1')).toBe(false)
    await run.append(dispatch('a', 1, 2))
    expect(await claims.begin(task, 'token-1')).toBe(false)
    await claims.claim({ ...task, delivery: 2 }, 'worker-1', 'token-1')
    expect(await claims.begin(task, 'token-1')).toBe(false)
    expect(await claims.begin({ ...task, attempt: 2, delivery: 2 }, 'token-1')).toBe(false)
  })
}

const report = (h: () => Harness): void => {
  it('puts the outcome into the mailbox once and ends the claim', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    const { atMs } = { atMs: 0, ...(await claims.claim(task, 'worker-1', 'token-1')) }
    const command = outcome(task, atMs)
    expect(await claims.report(task, 'token-1', command)).toBe('reported')
    expect((await waiting(store, run.shard)).map((entry) => entry.command)).toEqual([command])
    expect(await store.claimsOf(run.shard, 'worker-1')).toEqual([])
    expect((await store.out(NS, run.run)).get('a')).toMatchObject({
      reported: true,
      worker: 'worker-1',
      token: 'token-1',
    })
    await expectUnchanged(h(), run, async () => {
      expect(await claims.report(task, 'token-1', command)).toBe('repeat')
      expect(await claims.claim(task, 'worker-2', 'token-2')).toEqual(refused('reported'))
      expect(await claims.claim(task, 'worker-1', 'token-1')).toEqual(refused('reported'))
    })
  })

  it('hears a late one all the same, once', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    const { atMs } = { atMs: 0, ...(await claims.claim(task, 'worker-1', 'token-1')) }
    await run.append(dispatch('a', 1, 2))
    await claims.claim({ ...task, delivery: 2 }, 'worker-2', 'token-2')
    const command = outcome(task, atMs)
    expect(await claims.report(task, 'token-1', command)).toBe('late')
    expect((await waiting(store, run.shard)).map((entry) => entry.command)).toEqual([command])
    expect((await store.out(NS, run.run)).get('a')).toMatchObject({ delivery: 2, token: 'token-2', reported: false })
    expect(await store.claimsOf(run.shard, 'worker-2')).toHaveLength(1)
    await expectUnchanged(h(), run, async () => {
      expect(await claims.report(task, 'token-1', command)).toBe('repeat')
    })
    expect(await claims.report(task, 'token-2', { ...command, id: 'other' })).toBe('late')
    const second = { ...task, delivery: 2 }
    expect(await claims.report(second, 'token-1', outcome(second, atMs, { id: 'third' }))).toBe('late')
    expect((await store.out(NS, run.run)).get('a')?.reported).toBe(false)
  })

  it('knows the re-sent report of an outcome that was served meanwhile', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    const { atMs } = { atMs: 0, ...(await claims.claim(task, 'worker-1', 'token-1')) }
    const command = outcome(task, atMs)
    await claims.report(task, 'token-1', command)
    const done = { type: 'step.completed', path: 'a', output: { value: 'tea' } } as const
    await run.append({
      events: [fact(2, done, command.id)],
      out: { set: [], remove: ['a'] },
      ack: (await waiting(store, run.shard)).map(({ id }) => id),
    })
    await expectUnchanged(h(), run, async () => {
      expect(await claims.report(task, 'token-1', command)).toBe('repeat')
    })
  })

  it('drops the outcome of a run that has been restarted since', async () => {
    const { claims, store } = h()
    const { run, task } = await outRun(h())
    const head = await run.head()
    await run.append({ out: { set: [], remove: ['a'] } })
    await expectUnchanged(h(), run, async () => {
      expect(await claims.report(task, 'token-1', outcome(task, head.createdAtMs - 1))).toBe('late')
    })
    expect(await claims.report(task, 'token-1', outcome(task, head.createdAtMs))).toBe('late')
    expect(await waiting(store, run.shard)).toHaveLength(1)
  })
}

export const claimLaws = (h: () => Harness): void => {
  claim(h)
  begin(h)
  report(h)
}
