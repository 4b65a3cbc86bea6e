// The examples, run as their comments say, on real processes of which one is killed at a random moment.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunView, StepView } from './api.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'
import { type Process, root } from './processes.ts'

type Service = 'orchestrator' | 'llm-worker' | 'tool-worker'
const SERVICES: readonly Service[] = ['orchestrator', 'llm-worker', 'tool-worker']
/** Model calls that one worker has in flight at most, so that many may be paid again when it dies. */
const IN_FLIGHT = 20

/** Numbers in [0, 1) from a seed: Park and Miller's generator, begun far from its neighbours. */
const random = (seed: number): (() => number) => {
  let state = ((seed * 69_621) % 2_147_483_646) + 1
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  next()
  return next
}
const SEED = Date.now() % 1_000_000

const example = (file: string): string => readFileSync(join(root, 'examples', file), 'utf8')
const inputOf = (name: string): Record<string, unknown> => JSON.parse(example(`inputs/${name}.json`))

describe('the examples, with a kill', { timeout: TEST_MS }, () => {
  let fleet: Fleet
  const processes = new Map<Service, Process>()

  const start = async (service: Service): Promise<void> => {
    const dirs = { OUTBOX_DIR: fleet.path('outbox'), NOTES_DIR: fleet.path('notes'), TRIPS_DIR: fleet.path('trips') }
    const tools = { env: { STEPFLEET_TOOLS: 'examples/tools', ...dirs } }
    const starting = {
      orchestrator: () => fleet.orchestrator('all'),
      'llm-worker': () => fleet.llmWorker(),
      'tool-worker': () => fleet.toolWorker(tools),
    }
    processes.set(service, await starting[service]())
  }

  beforeAll(async () => {
    fleet = await Fleet.open('examples/scripts/answers.mjs')
    await Promise.all(SERVICES.map(start))
  }, START_MS)
  afterAll(() => fleet.close())

  /** What the tools of a run did: the names of the files, by whose effect key it was. */
  const effects = (folder: string, run: string): string[] => {
    const path = fleet.path(folder)
    if (!existsSync(path)) return []
    return readdirSync(path).filter((name) => name.includes(`_${run}_`) && !name.startsWith('.'))
  }

  const register = async (name: string): Promise<void> => {
    const response = await fetch(`${fleet.api.url}/v1/workflows`, {
      method: 'POST',
      headers: { 'content-type': 'application/yaml' },
      body: example(`${name}.yaml`),
    })
    expect([200, 201], await response.text()).toContain(response.status)
  }

  /** A person who looks: did the effect happen? Then it is said to have, else it is tried again. */
  const decide = async (run: string, step: StepView): Promise<void> => {
    const key = `_${run}_${step.path.replaceAll(/[^A-Za-z0-9-]/g, '_')}.`
    const isThere = ['outbox', 'trips'].some((folder) => effects(folder, run).some((name) => name.includes(key)))
    const path = `/runs/${run}/steps/${encodeURIComponent(step.path)}`
    if (isThere) await fleet.api.post(`${path}/override`, { by: 'ada', reason: 'it happened', output: { seen: true } })
    else await fleet.api.post(`${path}/retry`, { by: 'ada', reason: 'it did not happen' })
  }

  /** Approves what waits for an approval, decides what nobody knows, until the run has ended. */
  const attend = (run: string): Promise<RunView> =>
    eventually(
      async () => {
        const view = await fleet.api.run(run)
        if (['completed', 'failed', 'cancelled'].includes(view.status)) return view
        for (const step of view.steps) {
          if (step.case === null) continue
          if (step.status === 'escalated') await decide(run, step)
          else await fleet.api.post(`/runs/${run}/steps/${encodeURIComponent(step.path)}/approve`, { by: 'ada' })
        }
        return null
      },
      { timeoutMs: TEST_MS, everyMs: 50, what: `${run} to end` },
    )

  /** Kills one of the services after some of the run's facts, and starts it again. */
  const killSomewhere = async (run: string, rng: () => number): Promise<string> => {
    const facts = 2 + Math.floor(rng() * 14)
    const victim = SERVICES[Math.floor(rng() * SERVICES.length)] ?? 'orchestrator'
    await eventually(
      async () => {
        const view = await fleet.api.call<{ version: number; status: string }>({ path: `/runs/${run}` })
        return view.body.version >= facts || ['waiting', 'completed', 'failed'].includes(view.body.status)
      },
      { everyMs: 5, what: `${facts} facts of ${run}` },
    )
    await processes.get(victim)?.kill()
    await start(victim)
    return `${victim} killed after ${facts} facts`
  }

  const runExample = async (
    name: string,
    more: Record<string, unknown> = {},
  ): Promise<{ run: string; view: RunView }> => {
    const run = newRunId(name)
    await register(name)
    const submitted = await fleet.api.post('/runs', { workflow: name, id: run, input: { ...inputOf(name), ...more } })
    expect(submitted.status, JSON.stringify(submitted.body)).toBe(202)
    const seed = SEED + Number(/\d+$/.exec(run)?.[0] ?? 0)
    const [how, view] = await Promise.all([killSomewhere(run, random(seed)), attend(run)])
    process.stderr.write(`[e2e] ${name} (seed ${seed}): ${how}\n`)
    const { violations } = await fleet.check(run)
    expect(violations).toEqual([])
    const answered = fleet.modelCalls(run).filter((line) => line.outcome === 'answered')
    const steps = new Set(answered.map((line) => line.step))
    expect(answered.length - steps.size).toBeLessThanOrEqual(IN_FLIGHT)
    return { run, view }
  }

  const statusOf = (view: RunView, path: string): string | undefined =>
    view.steps.find((step) => step.path === path)?.status

  it('prompt-chaining', async () => {
    const { view } = await runExample('prompt-chaining')
    const text = 'A text on what a bicycle bell is; what it does; why it lasts.'
    expect(view).toMatchObject({ status: 'completed', output: { text, translation: `French: ${text}` } })
  })

  it('routing', async () => {
    const { view } = await runExample('routing')
    const reply = 'About "I was charged twice": the invoice shows it.'
    expect(view).toMatchObject({ status: 'completed', output: { kind: 'billing', reply } })
    expect([statusOf(view, 'technical'), statusOf(view, 'other')]).toEqual(['skipped', 'skipped'])
  })

  it('parallel', async () => {
    const { run, view } = await runExample('parallel')
    expect(view).toMatchObject({ status: 'completed', output: { verdict: { for: 2, of: 3 }, published: true } })
    expect(effects('notes', run)).toHaveLength(1)
  })

  it('orchestrator-workers', async () => {
    const { view } = await runExample('orchestrator-workers')
    const report = 'All in all on How do cities stay cool?'
    expect(view).toMatchObject({ status: 'completed', output: { parts: ['trees', 'roofs', 'water'], report } })
  })

  it('evaluator-optimizer', async () => {
    const { view } = await runExample('evaluator-optimizer')
    expect(view).toMatchObject({ status: 'completed', output: { text: 'a haiku about rain, try 3', score: 8 } })
    expect(statusOf(view, 'improve/iter-3/judge')).toBe('completed')
    expect(statusOf(view, 'improve/iter-4')).toBeUndefined()
  })

  it('autonomous-agent', async () => {
    const { run, view } = await runExample('autonomous-agent')
    expect(view).toMatchObject({ status: 'completed', output: 'The mail is sent.' })
    expect(statusOf(view, 'work/turn-2/tool-0')).toBe('completed')
    expect(effects('outbox', run)).toHaveLength(1)
  })

  it('research-report', async () => {
    const { run, view } = await runExample('research-report')
    expect(view).toMatchObject({ status: 'completed', output: { report: { title: 'On heat pumps' }, mailed: true } })
    expect(effects('outbox', run)).toHaveLength(1)
  })

  it('saga', async () => {
    const { run, view } = await runExample('saga')
    expect(view.status).toBe('completed')
    const trips = effects('trips', run).map((name) => name.split('-')[0])
    expect(trips.sort()).toEqual(['charged', 'reserved', 'reserved'])
    expect(effects('outbox', run)).toHaveLength(1)
  })

  it('saga, with a card that is declined: what was booked is cancelled, newest first', async () => {
    const { run, view } = await runExample('saga', { card: 'declined' })
    expect(view).toMatchObject({ status: 'failed', failure: { code: 'tool_failed' } })
    expect([statusOf(view, 'flight'), statusOf(view, 'hotel')]).toEqual(['compensated', 'compensated'])
    const trips = effects('trips', run).map((name) => name.split('-')[0])
    expect(trips.sort()).toEqual(['cancelled', 'cancelled', 'reserved', 'reserved'])
    expect(effects('outbox', run)).toEqual([])
    const { events } = await fleet.check(run)
    const ends = events.filter(({ type, path }) => type === 'step.completed' && path !== undefined)
    const order = ends.map(({ path }) => path)
    expect(order.filter((path) => path?.endsWith('compensate-1'))).toEqual(
      order
        .filter((path) => path === 'flight' || path === 'hotel')
        .map((path) => `${path}/compensate-1`)
        .reverse(),
    )
  })

  it('map-documents', async () => {
    const { view } = await runExample('map-documents')
    const again = Array.from({ length: 20 }, (_, i) => `document ${i * 10 + 7}`)
    expect(view).toMatchObject({ status: 'completed', output: { done: 200, again } })
  })
})
