// Budgets on real processes: what is spent never passes a cap, however many calls are made at once, and a person may
// raise it and go on.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'

const MODEL = 'anthropic/claude-haiku-5-5'
const llm = { model: MODEL, prompt: 'Say [[scripted: latency=30 say=yes]] of ${{ item }}', max_tokens: 100 }

interface Spent {
  usd: number
  tokens: number
}

describe('a budget', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await Promise.all([
      fleet.orchestrator('all'),
      fleet.desk(),
      fleet.toolWorker(),
      fleet.llmWorker(),
      fleet.llmWorker(),
    ])
  }, START_MS)
  afterAll(() => fleet.close())

  const many = (name: string, budget: Record<string, unknown>, count: number): Definition => ({
    name,
    budget,
    steps: { ask: { llm, each: { in: Array.from({ length: count }, (_, at) => at) } } },
  })
  const budgetOf = async (run: string): Promise<{ spent: Spent; reserved: Spent }> => {
    const { budget } = await fleet.api.get<{ budget: { spent: Spent; reserved: Spent } }>(`/runs/${run}`)
    return budget
  }
  const idle = (run: string): Promise<boolean | null> =>
    eventually(
      async () => {
        const { steps } = await fleet.api.run(run)
        const open = steps.filter(({ path, status }) => path.includes('[') && status !== 'completed')
        return open.length > 0 && open.every(({ status }) => status === 'escalated') ? true : null
      },
      { what: `the calls of ${run} to end` },
    )

  it('lets through what fits, calls the model no more, and goes on when it is raised', async () => {
    const run = newRunId('raised')
    // each call uses some 20 tokens, and may use about 150
    await fleet.api.accepted(many('raised', { tokens: 400 }, 30), { id: run })
    await idle(run)
    const { spent, reserved } = await budgetOf(run)
    expect(spent.tokens).toBeLessThanOrEqual(400)
    expect(reserved).toEqual({ usd: 0, tokens: 0 })
    const view = await fleet.api.run(run)
    const failed = view.steps.filter(({ status }) => status === 'escalated')
    expect(new Set(failed.map(({ failure }) => failure?.code))).toEqual(new Set(['budget_exceeded']))
    // nothing was sent for those
    expect(fleet.modelCalls(run).filter(({ outcome }) => outcome === 'begun')).toHaveLength(30 - failed.length)

    const raised = await fleet.api.post(`/runs/${run}/budget`, { tokens: 100_000, by: 'ada', reason: 'it is worth it' })
    expect(raised.status).toBe(200)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed' })
    expect(fleet.modelCalls(run).filter(({ outcome }) => outcome === 'begun')).toHaveLength(30)
    expect((await fleet.check(run)).violations).toEqual([])
    expect(await fleet.api.cases(run).then((cases) => cases.filter(({ status }) => status === 'open'))).toEqual([])
  })

  it('of an agent stops it alone, and it goes on in the same turn when that is raised', async () => {
    const run = newRunId('agent')
    const prompt = '[[scripted: turns=4 tool=note]] [[scripted: turn=5 say=done]] Take notes.'
    const agent = { model: MODEL, prompt, tools: ['note'], max_tokens: 100, budget: { tokens: 500 } }
    await fleet.api.accepted(
      { name: 'agent', steps: { work: { agent }, beside: { llm: { ...llm, prompt: 'Say [[scripted: say=yes]]' } } } },
      { id: run },
    )
    const [open] = await eventually(async () => {
      const cases = await fleet.api.cases(run)
      return cases.length > 0 ? cases : null
    })
    expect(open).toMatchObject({ reason: 'budget_exceeded', path: expect.stringMatching(/^work\/turn-\d\/llm$/) })
    const { steps } = await fleet.api.run(run)
    expect(steps.find(({ path }) => path === 'beside')?.status).toBe('completed')
    const used = steps
      .filter(({ path }) => path.endsWith('/llm'))
      .reduce((sum, { cost }) => sum + cost.inputTokens + cost.outputTokens, 0)
    expect(used).toBeLessThanOrEqual(500)
    const raised = await fleet.api.post(`/runs/${run}/steps/work/budget`, { tokens: 100_000, by: 'ada' })
    expect(raised.status).toBe(200)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: { work: 'done' } })
    expect((await fleet.check(run)).violations).toEqual([])
  })

  it('of a day is exact over runs at the same time', async () => {
    const runs = Array.from({ length: 6 }, () => newRunId('day'))
    await Promise.all(runs.map((id) => fleet.api.accepted(many('daily', { per_day: { tokens: 1_000 } }, 20), { id })))
    await Promise.all(runs.map(idle))
    const tokens = runs.flatMap((run) => fleet.modelCalls(run)).filter(({ outcome }) => outcome === 'answered').length
    const spent = await Promise.all(runs.map(async (run) => (await fleet.api.run(run)).steps))
    const used = spent
      .flat()
      .filter(({ path }) => path.includes('['))
      .reduce((sum, step) => sum + step.cost.inputTokens + step.cost.outputTokens, 0)
    expect(tokens).toBeGreaterThan(10)
    expect(used).toBeLessThanOrEqual(1_000)
    expect(used).toBeGreaterThan(800)
  })
})
