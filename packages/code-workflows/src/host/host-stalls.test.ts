// Code that does not come to its next step, or takes its thread with it: its own run fails, the others go on.
import { expect, test } from 'vitest'
import { advanced, bundleOf, completed, firstCall } from './code.fixture.ts'
import { ThreadedCodeHost } from './host.ts'

const logger = { info: () => undefined, warn: () => undefined }

test('code that computes for ever is ended; the other runs of its bundle are replayed in a new thread', async () => {
  const host = new ThreadedCodeHost({ logger, cpuMs: 200 })
  const bundle = await bundleOf(`
    await run.tool('a', { tool: 'echo' })
    if (input === 'sync') for (;;) {}
    if (input === 'microtasks') for (;;) await null
    return input`)
  const ended = [completed('a', 3)]
  for (const bad of ['sync', 'microtasks']) {
    const good = firstCall(bundle, 'good', 'good')
    await advanced(host, good)
    await advanced(host, firstCall(bundle, bad, bad))
    const [stalled, beside] = await Promise.all([
      host.advance({ ...firstCall(bundle, bad, bad), fromSeq: 1, ended }),
      host.advance({ ...good, fromSeq: 1, ended }),
    ])
    expect(stalled).toMatchObject({ state: { status: 'threw', failure: { code: 'code_workflow_stalled' } } })
    expect(beside).toBe('lost')
    expect(await advanced(host, { ...good, ended })).toMatchObject({ state: { status: 'returned', output: 'good' } })
  }
  await host.close()
})

test('a run that fills the memory of its thread fails alone', async () => {
  const host = new ThreadedCodeHost({ logger, cpuMs: 20_000, memoryMb: 32 })
  const bundle = await bundleOf(`
    await run.tool('a', { tool: 'echo' })
    const kept = []
    while (input === 'greedy') kept.push({ text: String(kept.length) })
    return input`)
  const ended = [completed('a', 3)]
  const [greedy, good] = await Promise.all([
    host.advance({ ...firstCall(bundle, 'greedy', 'greedy'), ended }),
    host.advance({ ...firstCall(bundle, 'good', 'good'), ended }),
  ])
  expect(greedy).toMatchObject({
    state: { failure: { code: 'code_failed', message: expect.stringContaining('memory') } },
  })
  expect(good).toMatchObject({ state: { status: 'returned', output: 'good' } })
  await host.close()
})

test('a file that does not load says so, also when it never ends', async () => {
  const host = new ThreadedCodeHost({ logger, cpuMs: 200 })
  const broken = await bundleOf('', 'const nothing = null as unknown as { x: number }\nnothing.x')
  expect(await host.describe(broken)).toMatchObject({
    ok: false,
    why: expect.stringMatching(/TypeError: .* \(flow\.ts:3/),
  })
  expect(await host.advance(firstCall(broken))).toMatchObject({ state: { failure: { code: 'code_failed' } } })
  const endless = await bundleOf('', 'for (;;) {}')
  expect(await host.describe(endless)).toMatchObject({ ok: false, why: expect.stringContaining('200 ms') })
  expect(await host.advance(firstCall(endless))).toMatchObject({
    state: { failure: { code: 'code_workflow_stalled' } },
  })
  await host.close()
})

test('threads over the limit end, the oldest first, and come back when they are asked', async () => {
  const host = new ThreadedCodeHost({ logger, maxThreads: 1 })
  const [one, two] = [
    await bundleOf(`await run.wait('w', '1m'); return 1`),
    await bundleOf(`await run.wait('w', '1m'); return 2`),
  ]
  await advanced(host, firstCall(one))
  await advanced(host, firstCall(two))
  const goOn = { fromSeq: 1, ended: [completed('w', 3)] }
  expect(await host.advance({ ...firstCall(two), ...goOn })).toMatchObject({ state: { output: 2 } })
  expect(await host.advance({ ...firstCall(one), ...goOn })).toBe('lost')
  expect(await host.advance({ ...firstCall(one), ended: goOn.ended })).toMatchObject({ state: { output: 1 } })
  await host.close()
})

test('1,000 steps one after another: an advance brings and asks only what is new, a replay is one pass', async () => {
  const host = new ThreadedCodeHost({ logger })
  const bundle = await bundleOf(`
    let sum = 0
    for (let i = 0; i < 1000; i += 1) sum += await run.tool('step_' + i, { tool: 'echo', with: { i } })
    return sum`)
  const call = firstCall(bundle)
  const ended = Array.from({ length: 1_000 }, (_, i) => completed(`step_${i}`, 3 * i + 3, i))
  const first = await advanced(host, call)
  let { seq } = first
  let asked = first.asked.length
  for (const one of ended) {
    const next = await advanced(host, { ...call, fromSeq: seq, ended: [one] })
    seq = next.seq
    asked += next.asked.length
  }
  expect({ seq, asked }).toEqual({ seq: 3_000, asked: 1_000 })
  const replay = await advanced(host, { ...call, ended })
  expect(replay.asked).toHaveLength(1_000)
  expect(replay.state).toEqual({ status: 'returned', output: 499_500 })
  await host.close()
})
