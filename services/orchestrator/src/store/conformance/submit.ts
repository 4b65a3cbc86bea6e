// Laws of submit: a run is there whole or not at all, once, and restart leaves nothing of what was.
import { expect, it } from 'vitest'
import {
  dispatch,
  endOf,
  expectUnchanged,
  fresh,
  type Harness,
  NS,
  ownedRun,
  shardOfRun,
  startCommand,
  submission,
  waiting,
} from './harness.ts'

const sha = (digit: string): string => digit.repeat(64)

const first = (h: () => Harness): void => {
  it('creates the head, readable at once, and the start command', async () => {
    const { store } = h()
    const run = fresh('run')
    const command = startCommand(run, { labels: { team: 'tea' } })
    const before = await store.now()
    const { status, head } = await store.submit(submission(command, { tip: 'tip-a', fingerprint: 'print-a' }))
    expect(status).toBe('created')
    expect(head).toMatchObject({ ns: NS, run, status: 'queued', version: 0, tip: 'tip-a', fingerprint: 'print-a' })
    expect(head).toMatchObject({ workflow: command.workflow, labels: { team: 'tea' }, endedAtMs: null, snapshotSeq: 0 })
    expect(head.createdAtMs).toBeGreaterThanOrEqual(before)
    expect(await store.head(NS, run)).toEqual(head)
    const entries = await waiting(store, shardOfRun(run))
    expect(entries.map((entry) => entry.command)).toEqual([command])
    expect(entries[0]?.atMs).toBeGreaterThanOrEqual(before)
  })

  it('answers the head that is there when the id is taken, and writes nothing', async () => {
    const run = await ownedRun(h())
    const head = await run.head()
    await expectUnchanged(h(), run, async () => {
      const again = await h().store.submit(submission(startCommand(run.run), { fingerprint: 'other' }))
      expect(again).toEqual({ status: 'exists', head })
    })
  })

  it('knows its own repeat after a lost reply, also when the run has moved on', async () => {
    const { store } = h()
    const run = fresh('run')
    const same = submission(startCommand(run))
    await store.submit(same)
    const owned = await ownedRun(h(), run)
    await owned.append()
    await expectUnchanged(h(), owned, async () => {
      expect(await store.submit(same)).toEqual({ status: 'created', head: await owned.head() })
    })
  })

  it('keeps equal run ids of two namespaces apart', async () => {
    const { store } = h()
    const run = fresh('run')
    const [one, other] = [await ownedRun(h(), run, 'one'), await ownedRun(h(), run, 'other')]
    await one.append(dispatch('a'))
    expect(await other.head()).toMatchObject({ version: 0, status: 'queued' })
    expect(await store.journal('other', run, 1, 10)).toEqual([])
    expect((await store.out('other', run)).size).toBe(0)
    expect((await store.list('other', { status: 'running' }, 10, null)).items).toEqual([])
    expect((await store.list('one', {}, 10, null)).items.map((head) => head.ns)).toEqual(['one'])
    expect(await store.head('third', run)).toBeNull()
  })
}

const restart = (h: () => Harness): void => {
  it('does not restart a run that has not ended', async () => {
    const run = await ownedRun(h())
    await run.append()
    const head = await run.head()
    const again = await h().store.submit(submission(startCommand(run.run), { onConflict: 'restart' }))
    expect(again).toEqual({ status: 'exists', head })
  })

  it('does not restart an ended run unasked', async () => {
    const run = await ownedRun(h())
    await run.append(endOf(await run.head()))
    await expectUnchanged(h(), run, async () => {
      expect((await h().store.submit(submission(startCommand(run.run)))).status).toBe('exists')
    })
  })

  it('restarts an ended run with nothing left of it but the new input', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    await store.putBlob(run.ns, run.run, sha('a'), '"old"')
    await run.append({ ...dispatch('a'), wakeAtMs: 1, unsent: ['m1'] })
    await store.putSnapshot(run.ns, run.run, 1, 'fold')
    await run.append(endOf(await run.head()))
    await store.putBlob(run.ns, run.run, sha('b'), '"new"')
    const command = startCommand(run.run, { labels: { round: '2' }, input: { blob: sha('b'), bytes: 5 } })
    const again = await store.submit(submission(command, { onConflict: 'restart', tip: 'tip-2' }))
    expect(again.status).toBe('created')
    expect(await run.head()).toMatchObject({
      status: 'queued',
      version: 0,
      tip: 'tip-2',
      snapshotSeq: 0,
      endedAtMs: null,
    })
    expect(await store.journal(run.ns, run.run, 1, 10)).toEqual([])
    expect(await store.snapshot(run.ns, run.run)).toBeNull()
    expect(await store.blob(run.ns, run.run, sha('a'))).toBeNull()
    expect(await store.blob(run.ns, run.run, sha('b'))).toBe('new')
    expect(await store.unsent(run.shard, 0, 10)).toEqual([])
    expect(await store.ripen(run.shard, 'engine-1', run.epoch, 10)).toEqual({ moved: 0, nextAtMs: null })
    expect((await store.list(run.ns, { status: 'completed' }, 10, null)).items).toEqual([])
    expect((await store.list(run.ns, { status: 'queued' }, 10, null)).items).toHaveLength(1)
    expect(await run.append()).toBe('appended')
  })

  it('knows the repeat of a restart, also when the run has ended again', async () => {
    const run = await ownedRun(h())
    await run.append(endOf(await run.head()))
    const same = submission(startCommand(run.run), { onConflict: 'restart' })
    await h().store.submit(same)
    await run.append(endOf(await run.head()))
    await expectUnchanged(h(), run, async () => {
      expect((await h().store.submit(same)).status).toBe('created')
    })
  })
}

export const submitLaws = (h: () => Harness): void => {
  first(h)
  restart(h)
}
