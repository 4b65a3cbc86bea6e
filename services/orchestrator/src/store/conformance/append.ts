// Laws of append: all or nothing, once, by the owner, on the history it was judged on.
import { expect, it } from 'vitest'
import {
  appendOne,
  dispatch,
  ENGINE,
  endOf,
  expectUnchanged,
  fresh,
  type Harness,
  NS,
  note,
  ownedRun,
  shardOfRun,
  signal,
  unclaimed,
  waiting,
} from './harness.ts'

const whole = (h: () => Harness): void => {
  it('writes the facts and everything derived from them', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    const ask = signal(run.run, { receipt: true })
    await store.send(ask)
    const entries = await waiting(store, run.shard)
    const append = await run.make({
      events: [note(1), note(2)],
      out: {
        set: [
          { path: 'a', attempt: 1, delivery: 1 },
          { path: 'b[0]', attempt: 2, delivery: 3 },
        ],
        remove: [],
      },
      wakeAtMs: 77,
      unsent: ['1', '2'],
      ack: entries.map(({ id }) => id),
      receipts: [{ command: ask.id, verdict: { status: 'applied', seq: 2 } }],
    })
    expect(await appendOne(store, append)).toBe('appended')
    expect(await run.head()).toMatchObject({ version: 2, tip: append.tip, status: 'running', endedAtMs: null })
    expect(await store.journal(NS, run.run, 1, 10)).toEqual([note(1), note(2)])
    expect(await store.out(NS, run.run)).toEqual(
      new Map([
        ['a', unclaimed(1, 1)],
        ['b[0]', unclaimed(2, 3)],
      ]),
    )
    expect(await store.out(NS, run.run, ['b[0]', 'none'])).toEqual(new Map([['b[0]', unclaimed(2, 3)]]))
    expect(await store.out(NS, run.run, [])).toEqual(new Map())
    expect(await waiting(store, run.shard)).toEqual([])
    expect(await store.receipt(NS, run.run, ask.id)).toEqual({ status: 'applied', seq: 2 })
    const messages = ['1', '2'].map((message) => ({ ns: NS, run: run.run, message }))
    expect(await store.unsent(run.shard, 0, 10)).toEqual(messages)
    expect(await store.ripen(run.shard, ENGINE, run.epoch, 0)).toEqual({ moved: 0, nextAtMs: 77 })
  })

  it('pages the journal by sequence', async () => {
    const run = await ownedRun(h())
    await run.append({ events: [1, 2, 3, 4, 5].map(note) })
    const seqs = async (from: number, limit: number) =>
      (await h().store.journal(NS, run.run, from, limit)).map((event) => event.seq)
    expect(await seqs(2, 2)).toEqual([2, 3])
    expect(await seqs(5, 10)).toEqual([5])
    expect(await seqs(6, 10)).toEqual([])
  })
}

const outAndSize = (h: () => Harness): void => {
  it('removes from out what ended, and all of it when the run ends', async () => {
    const run = await ownedRun(h())
    const set = ['a', 'b', 'c'].map((path) => ({ path, attempt: 1, delivery: 1 }))
    await run.append({ out: { set, remove: [] } })
    await run.append({ out: { set: [{ path: 'b', attempt: 2, delivery: 1 }], remove: ['a'] } })
    expect(await h().store.out(NS, run.run)).toEqual(
      new Map([
        ['b', unclaimed(2, 1)],
        ['c', unclaimed(1, 1)],
      ]),
    )
    await run.append({ ...endOf(await run.head()), out: { set: [], remove: ['c'] } })
    expect((await h().store.out(NS, run.run)).size).toBe(0)
    expect(await run.head()).toMatchObject({ status: 'completed', endedAtMs: 5_000 })
  })

  it('takes a thousand times more than usual', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    const commands = Array.from({ length: 2_100 }, () => signal(run.run))
    await Promise.all(commands.map((command) => store.send(command)))
    const entries = await waiting(store, run.shard)
    // Lua's unpack has room for about 8,000 values: 4,500 fields of out are 9,000
    const numbers = Array.from({ length: 4_500 }, (_, i) => i)
    const set = numbers.map((i) => ({ path: `s[${i}]`, attempt: 1, delivery: i + 1 }))
    const unsent = numbers.map(String)
    await run.append({
      events: numbers.map((i) => note(i + 1)),
      out: { set, remove: [] },
      unsent,
      ack: entries.map(({ id }) => id),
    })
    expect(await store.journal(NS, run.run, 1, 10_000)).toHaveLength(4_500)
    const out = await store.out(NS, run.run)
    expect([out.size, out.get('s[4499]')]).toEqual([4_500, unclaimed(1, 4_500)])
    expect(await waiting(store, run.shard)).toEqual([])
    expect(await store.unsent(run.shard, 0, 10_000)).toHaveLength(4_500)
    await run.append({ out: { set: [], remove: set.slice(1).map(({ path }) => path) } })
    expect([...(await store.out(NS, run.run)).keys()]).toEqual(['s[0]'])
  })
}

const once = (h: () => Harness): void => {
  it('is a repeat when it was there already, and adds nothing', async () => {
    const run = await ownedRun(h())
    const append = await run.make({ ...dispatch('a'), unsent: ['1'], ack: [] })
    expect(await appendOne(h().store, append)).toBe('appended')
    const task = { ns: NS, run: run.run, path: 'a', attempt: 1, delivery: 1 }
    expect((await h().claims.claim(task, 'worker-1', 'token-1')).status).toBe('granted')
    await expectUnchanged(h(), run, async () => {
      expect(await appendOne(h().store, append)).toBe('repeat')
    })
  })

  it('refuses another version', async () => {
    const run = await ownedRun(h())
    await run.append()
    const { tip } = await run.head()
    const stale = await run.make({ expect: { version: 0, tip }, events: [note(1)], unsent: ['1'], ...dispatch('a') })
    await expectUnchanged(h(), run, async () => {
      expect(await appendOne(h().store, stale)).toBe('conflict')
    })
  })

  it('refuses another tip of the same version: another history', async () => {
    const run = await ownedRun(h())
    const other = await run.make({
      expect: { version: 0, tip: 'another' },
      ack: (await waiting(h().store, run.shard)).map(({ id }) => id),
    })
    await expectUnchanged(h(), run, async () => {
      expect(await appendOne(h().store, other)).toBe('conflict')
    })
  })
}

const batches = (h: () => Harness): void => {
  it('refuses a run that is not there', async () => {
    const run = await ownedRun(h())
    const none = fresh('none')
    const lost = { ...(await run.make()), run: none }
    const lease = await h().store.own(shardOfRun(none), ENGINE, 60_000)
    expect(await appendOne(h().store, { ...lost, epoch: lease?.epoch ?? 0 })).toBe('conflict')
    expect(await h().store.head(NS, none)).toBeNull()
  })

  it('answers for each append of a batch', async () => {
    const runs = [await ownedRun(h()), await ownedRun(h()), await ownedRun(h())]
    const appends = await Promise.all(runs.map((run) => run.make()))
    const [good, bad, also] = appends
    if (!good || !bad || !also) throw new Error('three appends')
    const batch = [good, { ...bad, expect: { version: 0, tip: 'another' } }, also]
    expect(await h().store.append(batch)).toEqual(['appended', 'conflict', 'appended'])
    expect(await h().store.append(batch)).toEqual(['repeat', 'conflict', 'repeat'])
  })

  it('without facts serves commands and leaves version and tip as they are', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    await run.append({ wakeAtMs: 50 })
    const before = await run.head()
    const ask = signal(run.run, { receipt: true })
    await store.send(ask)
    const verdict = { status: 'refused', code: 'run_ended', message: 'it has ended' } as const
    const idle = await run.make({
      events: [],
      tip: before.tip,
      wakeAtMs: null,
      ack: (await waiting(store, run.shard)).map(({ id }) => id),
      receipts: [{ command: ask.id, verdict }],
    })
    expect(await appendOne(store, idle)).toBe('appended')
    expect(await appendOne(store, idle)).toBe('appended')
    expect(await run.head()).toEqual(before)
    expect(await waiting(store, run.shard)).toEqual([])
    expect(await store.receipt(NS, run.run, ask.id)).toEqual(verdict)
    expect(await store.ripen(run.shard, ENGINE, run.epoch, 10)).toEqual({ moved: 0, nextAtMs: null })
  })

  it('throws at what cannot be told from a repeat or leaves a gap', async () => {
    const run = await ownedRun(h())
    await expect(run.append({ events: [note(2)] })).rejects.toThrow('event 2 where 1 comes next')
    await expect(
      run.append({ events: [], ...dispatch('a'), status: { from: 'queued', to: 'queued' } }),
    ).rejects.toThrow('out')
    await expect(run.append({ events: [] })).rejects.toThrow('status')
    await expect(run.append({ tip: (await run.head()).tip })).rejects.toThrow('tip')
    expect(await run.head()).toMatchObject({ version: 0 })
  })
}

const owners = (h: () => Harness): void => {
  it('is refused under an old epoch, by another engine, and after a release', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    const append = await run.make()
    await expectUnchanged(h(), run, async () => {
      expect(await appendOne(store, { ...append, engine: 'engine-2' })).toBe('deposed')
      expect(await appendOne(store, { ...append, epoch: run.epoch - 1 })).toBe('deposed')
      await store.release(run.shard, ENGINE, run.epoch)
      expect(await appendOne(store, append)).toBe('deposed')
    })
    const next = await store.own(run.shard, ENGINE, 60_000)
    expect(await appendOne(store, append)).toBe('deposed')
    expect(await appendOne(store, { ...append, epoch: next?.epoch ?? 0 })).toBe('appended')
  })
}

export const appendLaws = (h: () => Harness): void => {
  whole(h)
  outAndSize(h)
  once(h)
  batches(h)
  owners(h)
}
