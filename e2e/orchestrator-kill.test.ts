// Engines that die or stand still under load, and an API that dies before it has answered.
import { rng } from '@stepfleet/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { checkEffects, checkPaidOnce } from './checker.ts'
import { seedOf } from './config.ts'
import { freezeBehind, lasting } from './faults.ts'
import { Fleet, newRunId, urlOf } from './fleet.ts'
import { eventually, RECOVERY_MS, START_MS, TEST_MS } from './patience.ts'
import type { Process } from './processes.ts'
import { tell } from './tell.ts'

/** A model call that outlives an engine. */
const held: Definition = {
  name: 'held',
  steps: { ask: { llm: { model: 'anthropic/claude-haiku-5-5', prompt: '[[scripted: latency=12000 say=held]]' } } },
  output: '${{ steps.ask.output }}',
}

/** Waits for a signal. */
const listening: Definition = { name: 'listening', steps: { hear: { signal: 'go' } } }

/** Two tool calls with a model call in between. */
const short: Definition = {
  name: 'short',
  steps: {
    first: { tool: 'note', with: { text: 'one' } },
    ask: {
      llm: { model: 'anthropic/claude-haiku-5-5', prompt: '[[scripted: say=fine]] ${{ steps.first.output.text }}?' },
    },
    last: { tool: 'note', with: { text: '${{ steps.ask.output }}' } },
  },
  output: '${{ steps.last.output.text }}',
}

describe('an orchestrator that dies', { timeout: TEST_MS }, () => {
  const seed = seedOf()
  const random = rng(seed)
  let fleet: Fleet
  let api: Process

  beforeAll(async () => {
    fleet = await Fleet.open()
    const link = await fleet.link()
    api = await fleet.orchestrator('api', { redisUrl: urlOf(link) })
    const engine = fleet.orchestrator('engine')
    await Promise.all([fleet.toolWorker(), fleet.llmWorker(), fleet.llmWorker()])
    // scripts and tools are known after it
    await fleet.api.ended(await fleet.api.accepted(short, { id: newRunId('warm-up') }))
    const frozen = freezeBehind(link, '"type":"start"')
    unanswered = { frozen, engine: await engine }
  }, START_MS)
  afterAll(() => fleet.close())

  let unanswered: { frozen: Promise<void>; engine: Process }
  const engines = new Set<Process>()

  /** What has been done so far, as the ledgers tell. */
  const progress = (): number =>
    fleet.effects().filter(({ phase }) => phase === 'done').length +
    fleet.modelCalls().filter(({ outcome }) => outcome === 'answered').length

  const progressed = (count: number): Promise<boolean> =>
    eventually(() => progress() >= count, { everyMs: 5, what: `${count} lines in the ledgers` })

  /** Submits so many, a few at a time; each one's id once it was accepted. */
  const submit = async (name: string, count: number): Promise<string[]> => {
    const ids = Array.from({ length: count }, () => newRunId(name))
    const left = [...ids]
    const caller = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) await fleet.api.accepted(short, { id })
    }
    await Promise.all([caller(), caller(), caller(), caller()])
    return ids
  }

  /** A run that is submitted right after a fault, and ends when there is an engine again. */
  const probe = async (faultAtMs: number): Promise<{ id: string; tookMs: number }> => {
    const id = await fleet.api.accepted(short, { id: newRunId('probe') })
    await fleet.api.ended(id)
    const tookMs = Date.now() - faultAtMs
    tell('engine killed and started again → a run submitted meanwhile has ended', tookMs)
    return { id, tookMs }
  }

  /** All of them ended well, each step once. */
  const allWell = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) {
      expect(await fleet.api.ended(id)).toMatchObject({ id, status: 'completed', output: 'fine' })
      expect((await fleet.check(id)).violations).toEqual([])
      expect(fleet.effects(id).filter(({ phase }) => phase === 'done')).toHaveLength(2)
      expect(fleet.modelCalls(id).filter(({ outcome }) => outcome === 'answered')).toHaveLength(1)
    }
    // no worker died, so nothing may have been done twice
    expect(checkPaidOnce(ids.flatMap((id) => fleet.modelCalls(id)))).toEqual([])
    expect(checkEffects(ids.flatMap((id) => fleet.effects(id)))).toEqual([])
  }

  it('while it answers a submit leaves one run, found by its id', async () => {
    const run = newRunId('unanswered')
    const request = fleet.api.submit(short, { id: run, labels: { test: 'unanswered' } })
    const failed = request.then(
      () => 'answered',
      () => 'no answer',
    )
    await unanswered.frozen
    await api.kill()
    expect(await failed).toBe('no answer')

    api = await fleet.orchestrator('api')
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed' })
    const again = await fleet.api.submit(short, { id: run, labels: { test: 'unanswered' } })
    expect(again).toMatchObject({ status: 200, body: { id: run } })
    expect(await fleet.api.runsWithLabel('test:unanswered')).toHaveLength(1)
    const other = await fleet.api.submit(short, { id: run, input: { other: true } })
    expect(other).toMatchObject({ status: 409, body: { code: 'run_conflict' } })
    await allWell([run])
    engines.add(unanswered.engine)
  })

  it('takes no live worker for dead when its successor is slow to take over', async () => {
    const run = newRunId('held')
    const busy = newRunId('busy')
    await fleet.api.accepted(held, { id: run })
    await fleet.api.accepted(listening, { id: busy })
    await fleet.api.stepIs(busy, 'hear', 'waiting')
    await fleet.modelCall(run, 'ask', 'begun')
    await Promise.all([...engines].map((engine) => engine.kill()))
    engines.clear()
    // one mailbox is full, and every look at Redis takes a while: the successor takes its shards over for longer than
    // a lease lasts, while a worker is alive and holds a task
    const sent = await Promise.all(
      Array.from({ length: 20 }, (_, n) => fleet.api.post(`/runs/${busy}/signals/other`, n)),
    )
    expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 202))
    const slow = await fleet.link()
    slow.delay(100)
    engines.add(await fleet.orchestrator('engine', { redisUrl: urlOf(slow) }))
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'held' })
    const { events, violations } = await fleet.check(run)
    expect(violations).toEqual([])
    expect(events.map(({ type }) => type)).not.toContain('step.lost')
    expect(checkPaidOnce(fleet.modelCalls(run))).toEqual([])
    await fleet.api.post(`/runs/${busy}/signals/go`)
    await fleet.api.ended(busy)
    const heard = (await fleet.check(busy)).events.filter(({ type }) => type === 'signal.received')
    expect(heard).toHaveLength(21)
  })

  it('five times at random loses nothing and repeats nothing', async () => {
    const base = progress()
    const runs = 100
    const submitting = submit('load', runs)
    const probes: ReturnType<typeof probe>[] = []
    // three lines for each run
    const moments = Array.from({ length: 5 }, (_, n) => base + random.int(n * 50 + 5, n * 50 + 45))
    for (const moment of moments) {
      await progressed(moment)
      await Promise.all([...engines].map((engine) => engine.kill()))
      engines.clear()
      probes.push(probe(Date.now()))
      engines.add(await fleet.orchestrator('engine'))
    }
    const ids = [...(await submitting), ...(await Promise.all(probes)).map(({ id }) => id)]
    expect(ids, `seed ${seed}`).toHaveLength(runs + probes.length)
    await allWell(ids)

    // once more without the load, for the bound
    await Promise.all([...engines].map((engine) => engine.kill()))
    engines.clear()
    const last = probe(Date.now())
    engines.add(await fleet.orchestrator('engine'))
    expect((await last).tookMs).toBeLessThan(RECOVERY_MS)
  })

  it('or stands still for 5 s hurts nobody when it comes back', async () => {
    const [victim] = engines
    const other = await fleet.orchestrator('engine')
    await eventually(
      async () =>
        (await fleet.api.fleet()).engines.filter(({ alive, shards }) => alive && shards.length > 0).length === 2,
      { what: 'both engines to own shards' },
    )
    const base = progress()
    const before = submit('before', 40)
    await progressed(base + 20)
    victim?.signal('SIGSTOP')
    const stoppedAtMs = Date.now()
    const during = submit('during', 40)
    const ids = [...(await before), ...(await during)]
    await eventually(
      async () => (await fleet.api.fleet()).engines.find(({ pid }) => pid === other.pid)?.shards.length === 64,
      { what: 'the other engine to own all shards' },
    )
    tell('engine stopped → all shards owned by the other', Date.now() - stoppedAtMs)
    // all of it is done without the one that stands still
    for (const id of ids) await fleet.api.ended(id)
    tell('engine stopped → 80 runs ended', Date.now() - stoppedAtMs)
    await lasting(Math.max(0, 5_000 - (Date.now() - stoppedAtMs)))
    victim?.signal('SIGCONT')
    await eventually(
      async () =>
        (await fleet.api.fleet()).engines.filter(({ alive, shards }) => alive && shards.length > 0).length === 2,
      { what: 'both engines to own shards again' },
    )
    ids.push(...(await submit('after', 20)))
    await allWell(ids)
    expect(victim?.running).toBe(true)
  })
})
