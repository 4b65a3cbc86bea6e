// Laws of a shard: its mailbox, its owner, what is due, and what must still leave.
import { expect, it } from 'vitest'
import {
  ENGINE,
  endOf,
  expectUnchanged,
  fresh,
  freshIn,
  type Harness,
  NS,
  ownedRun,
  shardOfRun,
  signal,
  waiting,
} from './harness.ts'

const mailbox = (h: () => Harness): void => {
  it('keeps the order of arrival, after any entry, from any shard', async () => {
    const { store } = h()
    const [run, other] = [fresh('run'), fresh('other')]
    const commands = [1, 2, 3, 4].map(() => signal(run))
    for (const command of commands) await store.send(command)
    const elsewhere = signal(other)
    await store.send(elsewhere)
    const entries = await waiting(store, shardOfRun(run))
    expect(entries.map((entry) => entry.command)).toEqual(commands)
    expect(entries.every(({ shard, atMs, id }) => shard === shardOfRun(run) && id.startsWith(`${atMs}-`))).toBe(true)
    const after = entries[1]?.id ?? ''
    const both = [
      { shard: shardOfRun(run), after },
      { shard: shardOfRun(other), after: '0' },
    ]
    const ids = (await store.read(both, 1, 0)).map((entry) => entry.command.id).sort()
    expect(ids).toEqual([commands[2]?.id, elsewhere.id].sort())
    expect(await store.read([{ shard: shardOfRun(run), after: entries[3]?.id ?? '' }], 10, 0)).toEqual([])
    expect(await store.read([], 10, 0)).toEqual([])
    expect((await store.left(shardOfRun(run), '0', 2)).map((entry) => entry.command)).toEqual(commands.slice(0, 2))
    expect((await store.left(shardOfRun(run), after, 1)).map((entry) => entry.id)).toEqual([entries[2]?.id])
  })

  it('takes a command that asks a receipt once', async () => {
    const { store } = h()
    const run = fresh('run')
    const ask = signal(run, { receipt: true })
    await store.send(ask)
    await store.send(ask)
    expect(await waiting(store, shardOfRun(run))).toHaveLength(1)
    expect(await store.receipt(NS, run, ask.id)).toBeNull()
    const plain = signal(run)
    await store.send(plain)
    await store.send(plain)
    expect(await waiting(store, shardOfRun(run))).toHaveLength(3)
  })

  it('keeps receipts of two runs apart, whatever their shard', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    const twin = freshIn(run.shard)
    await store.send(signal(run.run, { id: 'key', receipt: true }))
    await store.send(signal(twin, { id: 'key', receipt: true }))
    expect((await waiting(store, run.shard)).filter(({ command }) => command.id === 'key')).toHaveLength(2)
    await run.append({ receipts: [{ command: 'key', verdict: { status: 'applied', seq: 1 } }] })
    expect(await store.receipt(NS, run.run, 'key')).toEqual({ status: 'applied', seq: 1 })
    expect(await store.receipt(NS, twin, 'key')).toBeNull()
  })

  it('wakes a waiting read by an arrival', async () => {
    const { store } = h()
    const run = fresh('run')
    const reading = store.read([{ shard: shardOfRun(run), after: '0' }], 10, 20_000)
    const command = signal(run)
    await store.send(command)
    expect((await reading).map((entry) => entry.command)).toEqual([command])
  })

  it('wakes a waiting read by an interrupt, or the next one when none waits', async () => {
    const { store } = h()
    const run = fresh('run')
    const from = [{ shard: shardOfRun(run), after: '0' }]
    const reading = store.read(from, 10, 20_000)
    store.interrupt()
    expect(await reading).toEqual([])
    store.interrupt()
    expect(await store.read(from, 10, 20_000)).toEqual([])
    await store.send(signal(run))
    expect(await store.read(from, 10, 20_000)).toHaveLength(1)
  })
}

const aside = (h: () => Harness): void => {
  it('discards entries under the epoch and tells who waits', async () => {
    const { store } = h()
    const owner = await ownedRun(h())
    const ask = signal(owner.run, { receipt: true })
    await store.send(ask)
    const ids = (await waiting(store, owner.shard)).map(({ id }) => id)
    await expectUnchanged(h(), owner, () => store.discard(owner.shard, ENGINE, owner.epoch + 1, ids))
    await store.discard(owner.shard, ENGINE, owner.epoch, ids)
    await store.discard(owner.shard, ENGINE, owner.epoch, ids)
    await store.discard(owner.shard, ENGINE, owner.epoch, [])
    expect(await waiting(store, owner.shard)).toEqual([])
    expect(await store.receipt(NS, owner.run, ask.id)).toMatchObject({ status: 'refused', code: 'unknown_run' })
  })

  it('counts trials of an entry until it is served or buried', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    const ask = signal(run.run, { receipt: true })
    await store.send(ask)
    const [start, bad] = await waiting(store, run.shard)
    if (!start || !bad) throw new Error('two entries')
    expect([await store.trial(run.shard, start.id), await store.trial(run.shard, bad.id)]).toEqual([1, 1])
    expect(await store.trial(run.shard, bad.id)).toBe(2)
    await run.append({ ack: [start.id] })
    expect(await store.trial(run.shard, start.id)).toBe(1)
    await store.bury(run.shard, bad, 'killed three engines')
    expect(await waiting(store, run.shard)).toEqual([])
    expect(await store.receipt(NS, run.run, ask.id)).toMatchObject({ status: 'refused', code: 'internal_error' })
    expect(await store.trial(run.shard, bad.id)).toBe(1)
    await run.append({ receipts: [{ command: ask.id, verdict: { status: 'applied', seq: 2 } }] })
    await store.bury(run.shard, bad, 'again')
    expect(await store.receipt(NS, run.run, ask.id)).toEqual({ status: 'applied', seq: 2 })
  })
}

const ownership = (h: () => Harness): void => {
  it('gives a shard to one engine, which renews it under the same epoch', async () => {
    const { store } = h()
    const first = await store.own(7, 'engine-1', 60_000)
    expect(first).toEqual({ epoch: 1, taken: true, clean: true })
    expect(await store.own(7, 'engine-2', 60_000)).toBeNull()
    expect(await store.own(7, 'engine-1', 60_000)).toEqual({ epoch: 1, taken: false, clean: true })
    expect(await store.own(8, 'engine-2', 60_000)).toEqual({ epoch: 1, taken: true, clean: true })
  })

  it('gives a released shard to the next at once, as clean', async () => {
    const { store } = h()
    await store.own(7, 'engine-1', 60_000)
    await store.release(7, 'engine-1', 2)
    await store.release(7, 'engine-2', 1)
    expect(await store.own(7, 'engine-2', 60_000)).toBeNull()
    await store.release(7, 'engine-1', 1)
    await store.release(7, 'engine-1', 1)
    expect(await store.own(7, 'engine-2', 60_000)).toEqual({ epoch: 2, taken: true, clean: true })
    await store.release(7, 'engine-2', 2)
    expect(await store.own(7, 'engine-2', 60_000)).toEqual({ epoch: 3, taken: true, clean: true })
  })

  it('gives a shard whose lease ran out to the next, as not clean, and never an epoch twice', async () => {
    const { store, until } = h()
    await store.own(7, 'engine-1', 40)
    let next: Awaited<ReturnType<typeof store.own>> = null
    await until(async () => {
      next = await store.own(7, 'engine-2', 40)
      return next !== null
    })
    expect(next).toEqual({ epoch: 2, taken: true, clean: false })
    await until(async () => {
      next = await store.own(7, 'engine-1', 60_000)
      return next !== null
    })
    expect(next).toEqual({ epoch: 3, taken: true, clean: false })
  })
}

const due = (h: () => Harness): void => {
  it('moves ripe runs into the mailbox behind what waits, soonest first', async () => {
    const { store, until } = h()
    const run = await ownedRun(h())
    const twin = freshIn(run.shard)
    const other = await ownedRun(h(), twin)
    const now = await store.now()
    await run.append({ wakeAtMs: now - 1 })
    await other.append({ wakeAtMs: now - 2 })
    const before = await waiting(store, run.shard)
    const moved: number[] = []
    await until(async () => {
      const answer = await store.ripen(run.shard, ENGINE, run.epoch, 1)
      moved.push(answer.moved)
      return answer.nextAtMs === null
    })
    expect(moved).toEqual([1, 1])
    const by = { kind: 'engine', id: ENGINE }
    const wakes = (await waiting(store, run.shard)).slice(before.length).map((entry) => entry.command)
    expect(wakes).toEqual([
      { type: 'wake', id: `wake/${twin}/${now - 2}`, ns: NS, run: twin, by },
      { type: 'wake', id: `wake/${run.run}/${now - 1}`, ns: NS, run: run.run, by },
    ])
    expect(await store.ripen(run.shard, ENGINE, run.epoch, 10)).toEqual({ moved: 0, nextAtMs: null })
  })

  it('leaves alone what is not ripe, and everything when it is not the owner who asks', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    const later = (await store.now()) + 3_600_000
    await run.append({ wakeAtMs: later })
    expect(await store.ripen(run.shard, ENGINE, run.epoch, 10)).toEqual({ moved: 0, nextAtMs: later })
    await run.append({ wakeAtMs: 5 })
    await expectUnchanged(h(), run, async () => {
      expect((await store.ripen(run.shard, ENGINE, run.epoch + 1, 10)).moved).toBe(0)
      expect((await store.ripen(run.shard, 'engine-2', run.epoch, 10)).moved).toBe(0)
    })
    await run.append({ ...endOf(await run.head()), wakeAtMs: null })
    expect((await store.ripen(run.shard, ENGINE, run.epoch, 10)).moved).toBe(0)
  })

  it('shows what must still leave, oldest first, until it has left', async () => {
    const { store, until } = h()
    const run = await ownedRun(h())
    await run.append({ unsent: ['1', '2'] })
    expect(await store.unsent(run.shard, 3_600_000, 10)).toEqual([])
    const message = (name: string) => ({ ns: NS, run: run.run, message: name })
    await until(async () => (await store.unsent(run.shard, 20, 10)).length === 2)
    await run.append({ unsent: ['10'] })
    expect(await store.unsent(run.shard, 0, 2)).toEqual([message('1'), message('2')])
    await store.sent(run.shard, [message('1')])
    await store.sent(run.shard, [message('1')])
    await store.sent(run.shard, [])
    expect(await store.unsent(run.shard, 0, 10)).toEqual([message('2'), message('10')])
  })
}

export const shardLaws = (h: () => Harness): void => {
  mailbox(h)
  aside(h)
  ownership(h)
  due(h)
}
