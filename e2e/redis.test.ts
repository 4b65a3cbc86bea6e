// Redis dies under load, and Redis stands still: no live worker is taken for dead, every run ends.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { checkEffects, checkPaidOnce } from './checker.ts'
import { lasting } from './faults.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'
import { tell } from './tell.ts'

const RUNS = 60
/** Calls long enough that many are held by live workers whenever Redis goes away. */
const slow: Definition = {
  name: 'slow',
  steps: {
    ask: { llm: { model: 'anthropic/claude-haiku-5-5', prompt: '[[scripted: latency=1200 say=fine]] Well?' } },
    keep: { tool: 'note', with: { text: '${{ steps.ask.output }}' } },
    more: {
      llm: {
        model: 'anthropic/claude-haiku-5-5',
        prompt: '[[scripted: latency=1200 say=${{ steps.keep.output.text }}]]',
      },
    },
  },
  output: '${{ steps.more.output }}',
}

describe('Redis under load', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await fleet.orchestrator('all')
    const slots = { env: { STEPFLEET_SLOTS: '6' } }
    await Promise.all([fleet.toolWorker(), fleet.llmWorker(slots), fleet.llmWorker(slots)])
  }, START_MS)
  afterAll(() => fleet.close())

  const calls = (outcome: 'begun' | 'answered'): number =>
    fleet.modelCalls().filter((line) => line.outcome === outcome).length

  /** Load, with the fault when it is well under way and model calls are in flight. */
  const underFault = async (name: string, fault: () => Promise<void>): Promise<void> => {
    const base = calls('answered')
    const ids = await Promise.all(
      Array.from({ length: RUNS / 2 }, () => fleet.api.accepted(slow, { id: newRunId(name) })),
    )
    await eventually(() => calls('answered') >= base + 8 && calls('begun') > calls('answered') + 4, {
      what: 'model calls in flight',
      everyMs: 5,
    })
    await fault()
    const backAtMs = Date.now()
    const journals = []
    for (const id of ids) {
      expect(await fleet.api.ended(id)).toMatchObject({ id, status: 'completed', output: 'fine' })
      const { events, violations } = await fleet.check(id)
      expect(violations).toEqual([])
      journals.push(events)
    }
    const all = journals.flat()
    tell(
      `${name} → first fact after it`,
      Math.min(...all.map(({ atMs }) => atMs).filter((at) => at > backAtMs)) - backAtMs,
    )
    expect(all.filter(({ type, cause }) => type === 'step.lost' && cause === 'worker')).toEqual([])
    expect(checkPaidOnce(fleet.modelCalls())).toEqual([])
    expect(checkEffects(fleet.effects())).toEqual([])
  }

  it('is killed and started again at once', () => underFault('redis-killed', () => fleet.restartRedis()))

  it('is away for 3 s', () => underFault('redis-away', () => fleet.restartRedis(() => lasting(3_000))))

  it('stands still for 2 s', () =>
    underFault('redis-stalled', async () => {
      fleet.redis.kill('SIGSTOP')
      await lasting(2_000)
      fleet.redis.kill('SIGCONT')
    }))
})
