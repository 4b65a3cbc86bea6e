// Breakers, limits and waves over a fleet of four worker processes, seen from the model's own ledger.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'
import { tell } from './tell.ts'

const LIMITED = 'anthropic/limited'
const PER_MINUTE = 600
const WORKERS = 4

interface CircuitView {
  dependency: string
  state: string
  why: string | null
  forced: string | null
  workers: number
}

const many = (model: string, count: number, more: Record<string, unknown> = {}): Definition => ({
  name: 'many',
  steps: {
    ask: {
      llm: { model, prompt: '[[scripted: say=yes]] ${{ item }}', max_tokens: 50, ...more },
      each: { in: Array.from({ length: count }, (_, at) => at) },
      retry: { attempts: 10, initial: '200ms', max: '2s' },
    },
  },
})

describe('a fleet of four workers', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    const env = { STEPFLEET_MODEL_LIMITS: JSON.stringify({ [LIMITED]: { requestsPerMinute: PER_MINUTE } }) }
    await Promise.all([
      fleet.orchestrator('all'),
      fleet.desk(),
      fleet.toolWorker(),
      ...Array.from({ length: WORKERS }, () => fleet.llmWorker({ env })),
    ])
  }, START_MS)
  afterAll(() => fleet.close())
  beforeEach(() => fleet.model('POST', '/reset'))

  const circuit = async (dependency: string): Promise<CircuitView | undefined> => {
    const { circuits } = await fleet.api.get<{ circuits: CircuitView[] }>('/fleet')
    return circuits.find((one) => one.dependency === dependency)
  }
  const circuitIs = (dependency: string, state: string): Promise<CircuitView> =>
    eventually(
      async () => {
        const found = await circuit(dependency)
        return found?.state === state ? found : null
      },
      { what: `the circuit of ${dependency} to be ${state}` },
    )
  const begun = (run: string) => fleet.modelCalls(run).filter(({ outcome }) => outcome === 'begun')

  it('leaves a model alone that is down, probes it by one call, and comes back in waves', async () => {
    const model = 'anthropic/outage'
    await fleet.model('POST', '/outages', { model: 'outage', on: true, fault: 'fail=503' })
    const run = newRunId('outage')
    await fleet.api.accepted(many(model, 200), { id: run })
    const open = await circuitIs(model, 'open')
    expect(open.why).toMatch(/is open since .* \(503 ×\d+\); next probe at/)
    const during = begun(run).length
    // who waits says why, and spends no attempt
    const waiting = await eventually(async () => {
      const { steps } = await fleet.api.run(run)
      return steps.find(({ why }) => why?.includes('circuit')) ?? null
    })
    expect(waiting.why).toContain(model)
    tell('the outage, before the fleet left it alone', during, 'calls')
    // each worker has 20 slots: what was under way when it opened, and no second round
    expect(during).toBeLessThan(WORKERS * 20 * 1.5)

    const backAtMs = Date.now()
    await fleet.model('POST', '/outages', { model: 'outage', on: false })
    await fleet.api.ended(run, 150_000)
    const after = begun(run).filter(({ atMs }) => atMs > backAtMs)
    tell('outage over → all 200 steps done', Date.now() - backAtMs)
    // the probe that is answered comes alone: nothing else begins before it is
    const [probe] = fleet.modelCalls(run).filter(({ outcome, atMs }) => outcome === 'answered' && atMs > backAtMs)
    const asked = begun(run).find(({ n }) => n === probe?.n)
    const from = asked?.atMs ?? 0
    const beside = after.filter(({ n, atMs }) => n !== probe?.n && atMs >= from && atMs < (probe?.atMs ?? 0))
    expect(beside).toEqual([])
    // a second that is full is not the first one
    const seconds = new Map<number, number>()
    for (const { atMs } of after)
      seconds.set(
        Math.floor((atMs - (probe?.atMs ?? 0)) / 1_000),
        (seconds.get(Math.floor((atMs - (probe?.atMs ?? 0)) / 1_000)) ?? 0) + 1,
      )
    expect(seconds.get(0) ?? 0).toBeLessThan(100)
    expect((await fleet.check(run)).violations).toEqual([])
  })

  it('goes on with another model while the circuit of one is open, at once', async () => {
    const model = 'anthropic/first'
    await fleet.api.post(`/fleet/circuits/${encodeURIComponent(model)}`, { force: 'open', by: 'ada', reason: 'a test' })
    expect(await circuitIs(model, 'open')).toMatchObject({ forced: 'open' })
    const run = newRunId('fallback')
    await fleet.api.accepted(many(model, 5, { fallback: ['anthropic/second'] }), { id: run })
    const view = await fleet.api.ended(run)
    const items = view.steps.filter(({ path }) => path.includes('['))
    expect(new Set(items.map(({ servedBy }) => servedBy))).toEqual(new Set(['anthropic/second']))
    const events = await fleet.api.journal(run)
    expect(events.filter(({ type }) => type === 'step.attempt_failed')).toEqual([])
    await fleet.api.post(`/fleet/circuits/${encodeURIComponent(model)}`, { force: null, by: 'ada' })
  })

  it('hands the conversation of an agent on to a model of another provider', async () => {
    // the first two turns are Anthropic's, then its key is refused; OpenAI answers one turn, then Gemini goes on
    const refused = { later: 'fail=401', per: 'rule' as const }
    await fleet.model('POST', '/rules', {
      id: 'a',
      match: { model: 'agent-a' },
      play: [{ do: '', times: 2 }],
      ...refused,
    })
    await fleet.model('POST', '/rules', { id: 'b', match: { model: 'agent-b' }, play: [{ do: '' }], ...refused })
    const run = newRunId('agents')
    const prompt = '[[scripted: turns=4 tool=note]] [[scripted: turn=5 say=done]] Take notes.'
    const fallback = ['openai/agent-b', 'gemini/agent-c']
    await fleet.api.accepted(
      {
        name: 'agents',
        steps: { work: { agent: { model: 'anthropic/agent-a', fallback, tools: ['note'], prompt, max_identical: 9 } } },
      },
      { id: run },
    )
    const view = await fleet.api.ended(run)
    const served = view.steps.filter(({ path }) => path.endsWith('/llm')).map(({ servedBy }) => servedBy)
    expect(served).toEqual([
      'anthropic/agent-a',
      'anthropic/agent-a',
      'openai/agent-b',
      'gemini/agent-c',
      'gemini/agent-c',
    ])
    expect(view.steps.find(({ path }) => path === 'work')?.output).toBe('done')
  })

  it('keeps the rate of a model in every second, however many tasks wait', async () => {
    const run = newRunId('rate')
    await fleet.api.accepted(many(LIMITED, 100), { id: run })
    await fleet.api.ended(run, 120_000)
    const times = begun(run)
      .map(({ atMs }) => atMs)
      .sort((a, b) => a - b)
    expect(times).toHaveLength(100)
    const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length))
    tell('the fullest second, of a limit of 10', most, 'calls')
    // the ledger's clock is not the limiter's: a call may arrive a little later than it was let go
    expect(most).toBeLessThanOrEqual((PER_MINUTE / 60) * 1.5 + 3)
    const events = await fleet.api.journal(run)
    expect(events.filter(({ type }) => type === 'step.attempt_failed')).toEqual([])
  })

  it('pauses a model for its retry-after, and no other', async () => {
    const model = 'anthropic/paused'
    const match = { model: 'paused' }
    await fleet.model('POST', '/rules', { id: 'paused', match, per: 'rule', play: [{ do: 'fail=429 retry-after=4' }] })
    const run = newRunId('paused')
    await fleet.api.accepted(many(model, 1), { id: run })
    await eventually(async () =>
      (await fleet.api.journal(run)).some(({ type }) => type === 'step.attempt_failed') ? true : null,
    )
    const since = Date.now()
    const [later, other] = [newRunId('later'), newRunId('other')]
    await Promise.all([
      fleet.api.accepted(many(model, 3), { id: later }),
      fleet.api.accepted(many('anthropic/free', 3), { id: other }),
    ])
    await fleet.api.ended(other)
    expect(begun(later)).toEqual([])
    await Promise.all([fleet.api.ended(run), fleet.api.ended(later)])
    expect(Math.min(...begun(later).map(({ atMs }) => atMs)) - since).toBeGreaterThan(2_500)
  })

  it('stops a call that is under way when its run is cancelled', async () => {
    const run = newRunId('cancelled')
    await fleet.api.accepted(
      { name: 'slow', steps: { ask: { llm: { model: 'anthropic/slow', prompt: '[[scripted: hang]]' } } } },
      { id: run },
    )
    await fleet.modelCall(run, 'ask', 'begun')
    const atMs = Date.now()
    await fleet.api.post(`/runs/${run}/cancel`, { by: 'ada' })
    const aborted = await fleet.modelCall(run, 'ask', 'aborted')
    tell('cancel → the model sees the call end', aborted.atMs - atMs)
  })
})
