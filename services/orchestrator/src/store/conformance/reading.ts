// Laws of what is looked up: lists, definitions, snapshots, blobs, and journals of other versions.
import { createHash } from 'node:crypto'
import { LIMITS } from '@stepfleet/contracts'
import { expect, it } from 'vitest'
import type { RunFilter } from '../port.ts'
import { BadCursorError } from '../run-order.ts'
import { UnknownEventVersionError } from '../upcast.ts'
import {
  endOf,
  fresh,
  freshIn,
  type Harness,
  NS,
  note,
  ownedRun,
  startCommand,
  submission,
  workflow,
} from './harness.ts'

const everyPage = async (h: Harness, ns: string, filter: RunFilter, limit: number): Promise<string[][]> => {
  const pages: string[][] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof h.store.list>> = await h.store.list(ns, filter, limit, cursor)
    pages.push(page.items.map((head) => head.run))
    cursor = page.cursor
  } while (cursor !== null)
  return pages
}

const lists = (h: () => Harness): void => {
  it('lists the newest first, page by page, none lost, none twice', async () => {
    const { store, until } = h()
    const ns = fresh('ns')
    const heads = []
    for (let i = 0; i < 60; i += 1) {
      if (i % 20 === 0) {
        const now = await store.now()
        await until(async () => (await store.now()) > now)
      }
      // half of them in one shard: the others must not run ahead of what it has not shown yet
      const run = i % 2 === 0 ? freshIn(3, ns) : fresh('run')
      heads.push((await store.submit(submission(startCommand(run, { ns })))).head)
    }
    const order = heads
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.run < b.run ? 1 : -1))
      .map((head) => head.run)
    for (const limit of [7, 60, 100]) {
      const pages = await everyPage(h(), ns, {}, limit)
      expect(pages.flat()).toEqual(order)
      expect(pages.every((page) => page.length <= limit)).toBe(true)
      expect(pages[0]).toHaveLength(Math.min(limit, 60))
    }
    const one = await store.list(ns, {}, 7, null)
    expect(one.items[0]).toEqual(await store.head(ns, order[0] ?? ''))
    expect(await store.list(fresh('ns'), {}, 7, null)).toEqual({ items: [], cursor: null })
    await expect(store.list(ns, {}, 7, 'no cursor')).rejects.toThrow(BadCursorError)
  })

  it('filters by status, workflow, labels and time, all together', async () => {
    const { store, until } = h()
    const ns = fresh('ns')
    const submit = (run: string, name: string, labels: Record<string, string>) =>
      store.submit(submission(startCommand(run, { ns, workflow: workflow(name), labels })))
    const ended = await ownedRun(h(), 'ended', ns)
    await ended.append(endOf(await ended.head()))
    await submit('tea-eu', 'tea', { zone: 'eu', team: 'a:b' })
    const before = await store.now()
    await until(async () => (await store.now()) > before)
    await submit('tea-us', 'tea', { zone: 'us', team: 'a:b' })
    const { createdAtMs } = (await submit('milk-eu', 'milk', { zone: 'eu' })).head
    const found = async (filter: RunFilter) => (await everyPage(h(), ns, filter, 10)).flat().sort()
    expect(await found({ status: 'completed' })).toEqual(['ended'])
    expect(await found({ status: 'queued' })).toEqual(['milk-eu', 'tea-eu', 'tea-us'])
    expect(await found({ workflow: 'tea' })).toEqual(['tea-eu', 'tea-us'])
    expect(await found({ labels: { zone: 'eu' } })).toEqual(['milk-eu', 'tea-eu'])
    expect(await found({ labels: { zone: 'eu', team: 'a:b' } })).toEqual(['tea-eu'])
    expect(await found({ labels: { zone: 'eu' }, workflow: 'milk', status: 'queued' })).toEqual(['milk-eu'])
    expect(await found({ labels: { zone: 'eu' }, status: 'completed' })).toEqual([])
    expect(await found({ sinceMs: before + 1 })).toEqual(['milk-eu', 'tea-us'])
    expect(await found({ untilMs: before })).toEqual(['ended', 'tea-eu'])
    expect(await found({ sinceMs: createdAtMs, untilMs: createdAtMs, workflow: 'milk' })).toEqual(['milk-eu'])
    expect(await found({ untilMs: before, workflow: 'tea' })).toEqual(['tea-eu'])
    // two of one shard, each of which meets one of two conditions
    await submit(freshIn(9, ns), 'cake', { zone: 'us' })
    await submit(freshIn(9, ns), 'pie', { zone: 'eu' })
    expect(await found({ workflow: 'cake', labels: { zone: 'eu' } })).toEqual([])
  })
}

const definitions = (h: () => Harness): void => {
  it('numbers versions by content and finds them by name, version and reference', async () => {
    const { store } = h()
    const ns = fresh('ns')
    const text = (n: number): string => JSON.stringify({ name: 'tea', steps: { a: { value: n } } })
    expect(await store.register(ns, 'tea', 'h1', text(1))).toEqual({ version: 1, created: true })
    expect(await store.register(ns, 'tea', 'h1', text(1))).toEqual({ version: 1, created: false })
    expect(await store.register(ns, 'tea', 'h2', text(2))).toEqual({ version: 2, created: true })
    expect(await store.register(ns, 'tea', 'h1', text(1))).toEqual({ version: 3, created: true })
    await store.register(ns, 'milk', 'h9', text(9))
    expect(await store.definition(ns, 'tea', 2)).toMatchObject({
      name: 'tea',
      version: 2,
      hash: 'h2',
      definition: JSON.parse(text(2)),
    })
    expect(await store.definition(ns, 'tea', null)).toMatchObject({ version: 3, hash: 'h1' })
    expect((await store.definition(ns, 'tea', 1))?.createdAtMs).toBeLessThanOrEqual(await store.now())
    expect(await store.definition(ns, 'tea', 4)).toBeNull()
    expect(await store.definition(ns, 'none', null)).toBeNull()
    expect(await store.definition(fresh('ns'), 'tea', 1)).toBeNull()
    expect(await store.byRef(ns, { name: 'tea', version: 2, hash: 'h2' })).toEqual(JSON.parse(text(2)))
    expect(await store.definitions(ns)).toEqual([
      { name: 'milk', latest: 1 },
      { name: 'tea', latest: 3 },
    ])
    expect(await store.definitions(fresh('ns'))).toEqual([])
  })

  it('keeps by hash what came with a run, without listing it', async () => {
    const { store } = h()
    const ns = fresh('ns')
    await store.keep(ns, 'h5', '{"name":"once"}')
    expect(await store.byRef(ns, { name: 'once', version: null, hash: 'h5' })).toEqual({ name: 'once' })
    expect(await store.byRef(ns, { name: 'once', version: null, hash: 'h6' })).toBeNull()
    expect(await store.definitions(ns)).toEqual([])
  })
}

const payloads = (h: () => Harness): void => {
  it('keeps the newest fold, and none of facts that are not there', async () => {
    const { store } = h()
    const run = await ownedRun(h())
    await run.append({ events: [note(1), note(2), note(3)] })
    expect(await store.snapshot(NS, run.run)).toBeNull()
    await store.putSnapshot(NS, run.run, 2, 'fold of 2')
    expect(await store.snapshot(NS, run.run)).toEqual({ seq: 2, text: 'fold of 2' })
    expect(await run.head()).toMatchObject({ snapshotSeq: 2, version: 3 })
    await store.putSnapshot(NS, run.run, 1, 'fold of 1')
    await store.putSnapshot(NS, run.run, 4, 'fold of 4')
    const none = fresh('none')
    await store.putSnapshot(NS, none, 0, 'fold of nothing')
    expect(await store.snapshot(NS, none)).toBeNull()
    expect(await store.snapshot(NS, run.run)).toEqual({ seq: 2, text: 'fold of 2' })
  })

  it('keeps small payloads inline and large ones as blobs of their run', async () => {
    const { store, claims } = h()
    const run = fresh('run')
    expect(await claims.payload(NS, run, { small: 'é' })).toEqual({ value: { small: 'é' } })
    const large = 'é'.repeat(LIMITS.inlinePayloadBytes / 2)
    const sha = createHash('sha256').update(JSON.stringify(large)).digest('hex')
    const bytes = LIMITS.inlinePayloadBytes + 2
    expect(await claims.payload(NS, run, large)).toEqual({ blob: sha, bytes })
    expect(await claims.blob(NS, run, sha)).toBe(large)
    expect(await store.blob(NS, run, sha)).toBe(large)
    expect(await store.blob(NS, fresh('run'), sha)).toBeNull()
    await expect(claims.blob(NS, fresh('run'), sha)).rejects.toThrow('has no blob')
    await expect(claims.payload(NS, run, 'x'.repeat(LIMITS.payloadBytes))).rejects.toThrow('over the limit')
  })

  it('gives workers the facts they name, in their order', async () => {
    const { claims } = h()
    const run = await ownedRun(h())
    await run.append({ events: [note(1), note(2), note(3)] })
    expect(await claims.events(NS, run.run, [3, 1])).toEqual([note(3), note(1)])
    expect(await claims.events(NS, run.run, [])).toEqual([])
    await expect(claims.events(NS, run.run, [1, 9])).rejects.toThrow('no entry 9')
  })

  it('refuses to guess at facts of a later version', async () => {
    const { store, claims } = h()
    const run = await ownedRun(h())
    await run.append({ events: [note(1), { ...note(2), v: 99 }] })
    expect(await store.journal(NS, run.run, 1, 1)).toEqual([note(1)])
    await expect(store.journal(NS, run.run, 1, 10)).rejects.toThrow(UnknownEventVersionError)
    await expect(claims.events(NS, run.run, [2])).rejects.toThrow('version')
  })
}

export const readingLaws = (h: () => Harness): void => {
  lists(h)
  definitions(h)
  payloads(h)
}
