// What providers do wrong, one row each, against the whole fleet: the attempts there were, what was waited for between
// them, what it cost, how the circuit took it, and how many calls the server saw.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JournalEvent, RunView } from './api.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'

interface Row {
  /** What the scripted model does. */
  fault: string
  /** More of the `llm` body, and of the step. */
  llm?: Record<string, unknown>
  step?: Record<string, unknown>
  /** The step instead of an `llm`. */
  agent?: Record<string, unknown>
  /** Codes of the attempts that failed, in order. */
  failed: string[]
  ends: 'completed' | 'escalated'
  /** Why the case is open. */
  reason?: string
  /** Calls that the server saw. */
  calls: number
  /** Failed attempts that were charged. */
  paid?: number
  /** The least that is waited for before the second attempt, milliseconds. */
  waits?: number
  output?: unknown
}

const FAST = { initial: '10ms', max: '50ms' }
const SCHEMA = { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } }

const ROWS: Record<string, Row> = {
  '529 before the answer': {
    fault: 'fail=529 times=2',
    failed: ['overloaded', 'overloaded'],
    ends: 'completed',
    calls: 3,
  },
  '529 inside a 200 stream': {
    fault: 'fail=529 in=stream times=1',
    failed: ['overloaded'],
    ends: 'completed',
    calls: 2,
    paid: 1,
  },
  'a server error': { fault: 'fail=500 times=1', failed: ['provider_error'], ends: 'completed', calls: 2 },
  'a 429 with retry-after': {
    fault: 'fail=429 retry-after=1 times=1',
    failed: ['rate_limited'],
    ends: 'completed',
    calls: 2,
    waits: 1_000,
  },
  'a 429 whose wait is longer than the deadline': {
    fault: 'fail=429 retry-after=171',
    step: { deadline: '30s' },
    failed: ['rate_limited'],
    ends: 'escalated',
    reason: 'max_retries_exceeded',
    calls: 1,
  },
  'a stream cut without its end': {
    fault: 'cut=stream times=1',
    failed: ['stream_broken'],
    ends: 'completed',
    calls: 2,
    paid: 1,
  },
  'a connection torn down in the stream': {
    fault: 'cut=reset times=1',
    failed: ['stream_broken'],
    ends: 'completed',
    calls: 2,
    paid: 1,
  },
  'a connection torn down before the headers': {
    fault: 'cut=headers times=1',
    failed: ['connection_failed'],
    ends: 'completed',
    calls: 2,
  },
  'silence instead of headers': { fault: 'hang times=1', failed: ['timeout'], ends: 'completed', calls: 2 },
  'headers, then silence': {
    fault: 'hang=stream times=1',
    failed: ['timeout'],
    ends: 'completed',
    calls: 2,
    paid: 1,
  },
  'an answer so slow that its time is over': {
    fault: 'chunk-ms=700',
    step: { timeout: '1500ms', retry: { ...FAST, attempts: 2 } },
    failed: ['timeout', 'timeout'],
    ends: 'escalated',
    reason: 'max_retries_exceeded',
    calls: 2,
    paid: 2,
  },
  'an answer that comes byte by byte': {
    fault: 'trickle=300',
    step: { timeout: '1500ms', retry: { ...FAST, attempts: 2 } },
    failed: ['timeout', 'timeout'],
    ends: 'escalated',
    reason: 'max_retries_exceeded',
    calls: 2,
  },
  'an answer that was made, and never arrives': {
    fault: 'drop times=1',
    failed: ['connection_failed'],
    ends: 'completed',
    calls: 2,
  },
  'a character torn in the middle': {
    fault: 'malformed=utf8 times=1',
    failed: ['stream_broken'],
    ends: 'completed',
    calls: 2,
  },
  'an answer with nothing in it': {
    fault: 'empty times=1',
    failed: ['malformed_output'],
    ends: 'completed',
    calls: 2,
    paid: 1,
  },
  'a turn that is paused, and goes on': { fault: 'stop=pause_turn times=1', failed: [], ends: 'completed', calls: 2 },
  'arguments of 2 MB': {
    fault: 'turns=1 tool=note bytes=2000000',
    agent: { tools: ['note'] },
    failed: [],
    ends: 'completed',
    calls: 2,
  },
  'arguments that are no JSON': {
    fault: 'turns=1 tool=note malformed times=1',
    agent: { tools: ['note'] },
    failed: ['malformed_output'],
    ends: 'completed',
    calls: 3,
    paid: 1,
  },
  'a value outside of its enum, mended when asked again': {
    fault: 'malformed=enum times=1',
    llm: { output: { type: 'object', required: ['mood'], properties: { mood: { enum: ['calm', 'wild'] } } } },
    failed: [],
    ends: 'completed',
    calls: 2,
  },
  'an answer cut by max_tokens': {
    fault: 'stop=max_tokens',
    failed: ['output_truncated'],
    ends: 'escalated',
    reason: 'permanent_failure',
    calls: 1,
    paid: 1,
  },
  'a tool call cut by max_tokens': {
    fault: 'tool=note turns=1 stop=max_tokens',
    agent: { tools: ['note'] },
    failed: ['output_truncated'],
    ends: 'escalated',
    reason: 'permanent_failure',
    calls: 1,
    paid: 1,
  },
  'an answer that is no JSON, mended when asked again': {
    fault: 'malformed times=1',
    llm: { output: SCHEMA },
    failed: [],
    ends: 'completed',
    calls: 2,
  },
  'an answer that never fits its schema': {
    fault: 'malformed=schema',
    llm: { output: SCHEMA },
    step: { retry: { ...FAST, attempts: 2 } },
    failed: ['malformed_output', 'malformed_output'],
    ends: 'escalated',
    reason: 'max_retries_exceeded',
    calls: 4,
    paid: 2,
  },
  'a context that is too long': {
    fault: 'fail=400 message=prompt is too long: 210000 tokens > 200000 maximum',
    failed: ['context_too_long'],
    ends: 'escalated',
    reason: 'permanent_failure',
    calls: 1,
  },
  'a refusal': {
    fault: 'refusal',
    failed: ['refused_by_model'],
    ends: 'escalated',
    reason: 'permanent_failure',
    calls: 1,
    paid: 1,
  },
  'a key that is not taken': {
    fault: 'fail=401',
    failed: ['authentication_failed'],
    ends: 'escalated',
    reason: 'permanent_failure',
    calls: 1,
  },
  'an outage that outlasts the attempts': {
    fault: 'fail=503',
    step: { retry: { ...FAST, attempts: 3 } },
    failed: ['overloaded', 'overloaded', 'overloaded'],
    ends: 'escalated',
    reason: 'max_retries_exceeded',
    calls: 3,
  },
  'the same tool asked for again and again': {
    fault: 'turns=30 tool=note args={"text":"the same"}',
    agent: { tools: ['note'], max_identical: 4 },
    failed: [],
    ends: 'escalated',
    reason: 'permanent_failure',
    calls: 4,
  },
  'a code that the step never tries again': {
    fault: 'fail=529 times=1',
    step: { retry: { ...FAST, never: ['overloaded'] } },
    failed: ['overloaded'],
    ends: 'escalated',
    reason: 'max_retries_exceeded',
    calls: 1,
  },
  'a code that is not among those tried again': {
    fault: 'fail=500 times=1',
    step: { retry: { ...FAST, only: ['overloaded'] } },
    failed: ['provider_error'],
    ends: 'escalated',
    reason: 'max_retries_exceeded',
    calls: 1,
  },
}

describe('a provider that', { timeout: TEST_MS }, () => {
  let fleet: Fleet
  let rows = 0

  beforeAll(async () => {
    fleet = await Fleet.open()
    const timers = { STEPFLEET_MODEL_HEADERS_MS: '800', STEPFLEET_MODEL_CHUNK_MS: '1200' }
    await Promise.all([fleet.orchestrator('all'), fleet.desk(), fleet.llmWorker({ env: timers }), fleet.toolWorker()])
  }, START_MS)
  afterAll(() => fleet.close())

  /** A model of the row's own: circuits and pauses of one row are none of another's. */
  const stepOf = ({ fault, llm, step, agent }: Row, model: string): Record<string, unknown> => {
    const prompt = `[[scripted: ${fault}]] tea`
    const body = agent ? { agent: { model, prompt, ...agent } } : { llm: { model, prompt, ...llm } }
    return { ...body, retry: FAST, ...step }
  }

  const settled = (run: string): Promise<RunView> =>
    eventually(
      async () => {
        const view = await fleet.api.run(run)
        return ['completed', 'escalated', 'failed'].includes(view.status) ? view : null
      },
      { what: `${run} to end or to ask` },
    )

  const failuresIn = (events: readonly JournalEvent[]) => events.filter(({ type }) => type === 'step.attempt_failed')

  /** The circuit of a model as its worker tells: a few failures are no outage. */
  const circuitOf = async (model: string): Promise<string | undefined> => {
    const { workers } = await fleet.api.fleet()
    return workers.map(({ circuits }) => circuits?.[model]).find((state) => state !== undefined)
  }

  it.each(Object.entries(ROWS))('%s', async (name, row) => {
    rows += 1
    const model = `anthropic/row-${rows}`
    const run = newRunId('row')
    await fleet.api.accepted({ name: 'row', steps: { ask: stepOf(row, model) } }, { id: run })
    const view = await settled(run)
    expect(view.status, name).toBe(row.ends)

    const events = await fleet.api.journal(run)
    const failures = failuresIn(events)
    expect(failures.map(({ failure }) => failure?.code)).toEqual(row.failed)
    expect(failures.filter(({ usage }) => usage !== undefined)).toHaveLength(row.paid ?? 0)
    // waits are in the journal, and are kept: the law of backoff is one of the checker's
    for (const { atMs, retryAtMs } of failures.slice(0, 1)) {
      if (row.waits !== undefined) expect((retryAtMs ?? 0) - atMs).toBeGreaterThanOrEqual(row.waits)
    }
    const begun = fleet.modelCalls(run).filter(({ outcome }) => outcome === 'begun' || outcome === 'rejected')
    expect(begun).toHaveLength(row.calls)
    expect(view.cost.calls).toBe(events.filter(({ usage }) => usage !== undefined).length)
    if (row.reason !== undefined) {
      const [found] = await eventually(async () => {
        const cases = await fleet.api.cases(run)
        return cases.length > 0 ? cases : null
      })
      expect(found).toMatchObject({ reason: row.reason, status: 'open' })
    }
    expect([undefined, 'closed']).toContain(await circuitOf(model))
    expect((await fleet.check(run, row.ends === 'completed')).violations).toEqual([])
  })

  const OTHERS = [
    ['529 before the answer', 'openai', 'error=overloaded times=2', ['overloaded', 'overloaded']],
    ['an error inside a 200 stream', 'openai', 'error=overloaded in=stream times=1', ['overloaded']],
    ['a 429 with its wait', 'openai', 'fail=429 retry-after=1 times=1', ['rate_limited']],
    ['a stream cut without its end', 'openai', 'cut=stream times=1', ['stream_broken']],
    ['an outage', 'gemini', 'error=overloaded times=2', ['overloaded', 'overloaded']],
    ['a 429 with its wait', 'gemini', 'fail=429 retry-after=1 times=1', ['rate_limited']],
    ['a connection torn down in the stream', 'gemini', 'cut=reset times=1', ['stream_broken']],
    ['silence instead of headers', 'gemini', 'hang times=1', ['timeout']],
  ] as const
  it.each(OTHERS)('%s, as %s says it', async (_name, provider, fault, failed) => {
    rows += 1
    const model = `${provider}/row-${rows}`
    const run = newRunId('other')
    await fleet.api.accepted({ name: 'row', steps: { ask: stepOf({ fault } as Row, model) } }, { id: run })
    const view = await fleet.api.ended(run)
    const failures = failuresIn(await fleet.api.journal(run))
    expect(failures.map(({ failure }) => failure?.code)).toEqual(failed)
    expect(view.steps[0]?.servedBy).toBe(model)
    const begun = fleet.modelCalls(run).filter(({ outcome }) => outcome === 'begun')
    expect(begun).toHaveLength(failed.length + 1)
    if (failures[0]?.failure?.code === 'rate_limited')
      expect((failures[0].retryAtMs ?? 0) - failures[0].atMs).toBeGreaterThanOrEqual(1_000)
  })
})
