// Fallbacks: attempts, then models, then what is done in place of the step, then its policy.
import { failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { AMBIGUOUS, calls, MODEL, moduleTool, PERMANENT, TRANSIENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const SECOND = 'anthropic/claude-sonnet-5-5'
const THIRD = 'anthropic/claude-opus-5-5'
const TOOLS = { tools: [moduleTool('find', 'idempotent'), moduleTool('search', 'read'), moduleTool('mail', 'once')] }
const llm = { model: MODEL, prompt: 'p', fallback: [SECOND, THIRD] }
const make = (steps: Parameters<typeof workflow>[0]) => new World(workflow(steps), TOOLS)

describe('models of a step', () => {
  it('are tried in order, each with attempts of its own', () => {
    const w = make({ a: { llm, retry: { attempts: 2 } } })
    w.start()
    expect(w.fails('a', TRANSIENT)).toEqual(['step.attempt_failed a 1 provider_error, again'])
    w.wake({}, w.nowMs + 120_000)
    expect(w.fails('a', TRANSIENT)).toEqual([
      'step.attempt_failed a 2 provider_error',
      `step.fallback a provider_error → ${SECOND}`,
      'step.dispatched a 3.1',
    ])
    expect(w.inputOf('a')).toMatchObject({ model: SECOND })
    expect(w.task('a')).toMatchObject({ attempt: 3 })
    w.reload('snapshot')
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 3 bad_request',
      `step.fallback a bad_request → ${THIRD}`,
      'step.dispatched a 4.1',
    ])
    expect(w.done('a', 'at last')).toEqual(['step.completed a', 'run.completed'])
    expect(w.output('a')).toBe('at last')
  })

  it('leave the policy of the step when the last has failed; a retry begins with the first', () => {
    const w = make({ a: { llm: { ...llm, fallback: [SECOND] } } })
    w.start()
    w.fails('a', PERMANENT)
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 2 bad_request',
      'step.escalated a permanent_failure',
    ])
    w.retry('a')
    expect(w.inputOf('a')).toMatchObject({ model: MODEL })
    expect(w.fails('a', PERMANENT)).toContain(`step.fallback a bad_request → ${SECOND}`)
  })

  it('are left alone when an operator has named a model', () => {
    const w = make({ a: { llm: { ...llm, fallback: [SECOND] } } })
    w.start()
    w.fails('a', PERMANENT)
    w.fails('a', PERMANENT)
    w.retry('a', { edit: { model: MODEL } })
    expect(w.fails('a', PERMANENT)).toContain('step.escalated a permanent_failure')
  })

  it('are taken at once when the circuit of one is open, and no attempt is spent', () => {
    const w = make({ a: { llm } })
    w.start()
    expect(w.releases('a', 9_000, { reason: 'circuit_open' })).toEqual([
      'step.lost a 1.1 released',
      `step.fallback a circuit_open → ${SECOND}`,
      'step.dispatched a 1.2',
    ])
    expect(w.releases('a', 9_000, { reason: 'circuit_open' })).toContain('step.dispatched a 1.3')
    // nothing is left to go on with: it waits
    expect(w.releases('a', 9_000, { reason: 'circuit_open' })).toEqual(['step.lost a 1.3 released'])
    expect(w.wake({}, 10_000)).toEqual(['step.dispatched a 1.4'])
    expect(w.inputOf('a')).toMatchObject({ model: THIRD })
  })

  it('have attempts of their own, also when a circuit opened after some were spent', () => {
    const w = make({ a: { llm: { ...llm, fallback: [SECOND] }, retry: { attempts: 2 } } })
    w.start()
    w.fails('a', TRANSIENT)
    w.wake({}, w.nowMs + 120_000)
    expect(w.releases('a', 9_000, { reason: 'circuit_open' })).toContain('step.dispatched a 2.2')
    w.reload('snapshot')
    expect(w.fails('a', TRANSIENT)).toEqual(['step.attempt_failed a 2 provider_error, again'])
    w.wake({}, w.nowMs + 120_000)
    expect(w.fails('a', TRANSIENT)).toContain('step.escalated a max_retries_exceeded')
  })

  it('wait for a limit, and for a worker that leaves', () => {
    const w = make({ a: { llm } })
    w.start()
    expect(w.releases('a', 9_000, { reason: 'provider_limit' })).toEqual(['step.lost a 1.1 released'])
    w.wake({}, w.nowMs + 120_000)
    expect(w.releases('a', 0, { reason: 'draining' })).toEqual(['step.lost a 1.2 released', 'step.dispatched a 1.3'])
    expect(w.inputOf('a')).toMatchObject({ model: MODEL })
  })

  it('begin with the first again when a turn of an agent is asked for again', () => {
    const w = make({ a: { agent: { model: MODEL, prompt: 'p', fallback: [SECOND] } } })
    w.start()
    w.fails('a/turn-1/llm', PERMANENT)
    w.fails('a/turn-1/llm', PERMANENT)
    w.retry('a/turn-1/llm')
    expect(w.inputOf('a/turn-1/llm')).toMatchObject({ model: MODEL })
  })

  it('answer all turns of an agent that follow', () => {
    const w = make({ a: { agent: { model: MODEL, prompt: 'p', tools: ['search'], fallback: [SECOND] } } })
    w.start()
    expect(w.fails('a/turn-1/llm', PERMANENT)).toEqual([
      'step.attempt_failed a/turn-1/llm 1 bad_request',
      `step.fallback a/turn-1/llm bad_request → ${SECOND}`,
      'step.dispatched a/turn-1/llm 2.1',
    ])
    w.done('a/turn-1/llm', calls(['search']))
    w.reload()
    w.done('a/turn-1/tool-0')
    expect(w.inputOf('a/turn-2/llm')).toMatchObject({ model: SECOND })
    expect(w.fails('a/turn-2/llm', PERMANENT)).toContain('step.escalated a/turn-2/llm permanent_failure')
  })
})

describe('what is done in place of a step', () => {
  const value = { value: { code: '${{ error.code }}', of: '${{ input.of }}' } }

  it('begins when everything else has failed, and gives the output', () => {
    const w = make({
      a: { llm: { ...llm, fallback: [SECOND] }, fallback: value },
      b: { value: '${{ steps.a.output.code }}' },
    })
    w.start({ of: 7 })
    w.fails('a', PERMANENT)
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 2 bad_request',
      'step.fallback a bad_request → a/fallback-1',
      'step.completed a/fallback-1',
      'step.completed a',
      'step.completed b',
      'run.completed',
    ])
    expect([w.output('a'), w.output('b')]).toEqual([{ code: 'bad_request', of: 7 }, 'bad_request'])
  })

  it('is a step of its own: it is retried, may be out when the fleet is restarted, and answers late', () => {
    const w = make({ a: { tool: 'mail', fallback: { tool: 'find', with: { why: '${{ error.message }}' } } } })
    w.start()
    expect(w.fails('a', PERMANENT)).toContain('step.dispatched a/fallback-1 1.1')
    expect(w.inputOf('a/fallback-1')).toEqual({ tool: 'find', with: { why: 'it cannot work' } })
    expect(w.state.status).toBe('running')
    w.fails('a/fallback-1', TRANSIENT)
    expect(w.state.status).toBe('waiting')
    w.reload('snapshot')
    w.wake({}, w.nowMs + 120_000)
    w.reload()
    expect(w.done('a/fallback-1', 'found')).toEqual([
      'step.completed a/fallback-1',
      'step.completed a',
      'run.completed',
    ])
    expect(w.output('a')).toBe('found')
  })

  it('that fails too leaves the policy of the step', () => {
    const fallback = { tool: 'find' }
    const asked = make({ a: { tool: 'search', fallback } })
    asked.start()
    asked.fails('a', PERMANENT)
    expect(asked.fails('a/fallback-1', PERMANENT)).toContain('step.escalated a/fallback-1 permanent_failure')
    expect(asked.override('a/fallback-1', 'by hand')).toEqual([
      'escalation.resolved a/fallback-1 override',
      'step.overridden a/fallback-1',
      'step.completed a',
      'run.completed',
    ])
    const goesOn = make({ a: { tool: 'search', fallback, on_failure: 'continue' } })
    goesOn.start()
    goesOn.fails('a', PERMANENT)
    expect(goesOn.fails('a/fallback-1', PERMANENT)).toEqual([
      'step.attempt_failed a/fallback-1 1 bad_request',
      'step.failed a/fallback-1 bad_request',
      'step.failed a bad_request',
      'run.completed',
    ])
    const used = make({ a: { tool: 'search', fallback, on_failure: { use: 0 } } })
    used.start()
    used.fails('a', PERMANENT)
    used.fails('a/fallback-1', PERMANENT)
    expect(used.output('a')).toBe(0)
  })

  it('that a person skips skips the step; that a person fails fails it', () => {
    const skipped = make({ a: { tool: 'search', fallback: { tool: 'find' } }, b: { value: '${{ steps.a.output }}' } })
    skipped.start()
    skipped.fails('a', PERMANENT)
    skipped.fails('a/fallback-1', PERMANENT)
    expect(skipped.skip('a/fallback-1')).toEqual([
      'escalation.resolved a/fallback-1 skip',
      'step.skipped a/fallback-1 operator',
      'step.skipped a operator',
      'step.skipped b needs',
      'run.completed',
    ])
    const failed = make({ a: { tool: 'search', fallback: { tool: 'find' } } })
    failed.start()
    failed.fails('a', PERMANENT)
    failed.fails('a/fallback-1', PERMANENT)
    expect(failed.fail('a/fallback-1')).toEqual([
      'escalation.resolved a/fallback-1 fail',
      'step.failed a/fallback-1 failed_by_operator',
      'step.failed a failed_by_operator',
      'run.failed',
    ])
  })

  it('takes the place of a block, a child run, an item, an iteration', () => {
    const fallback = { value: 'instead' }
    const block = make({ a: { steps: { b: { tool: 'search' }, c: { tool: 'find' } }, fallback } })
    block.start()
    expect(block.fails('a/b', PERMANENT)).toEqual([
      'step.attempt_failed a/b 1 bad_request',
      'step.failed a/b bad_request',
      'step.fallback a bad_request → a/fallback-1',
      'step.completed a/fallback-1',
      'step.completed a',
      'run.completed',
    ])
    expect(block.step('a/c').phase).toBe('cancelled')
    const child = make({ a: { run: 'other', fallback } })
    child.start()
    child.child('a', { status: 'failed', failure: PERMANENT })
    expect(child.output('a')).toBe('instead')
    const items = make({ a: { tool: 'search', each: { in: [1, 2], join: 'settled' }, fallback: { tool: 'find' } } })
    items.start()
    items.fails('a[0]', PERMANENT)
    items.done('a[1]', 'two')
    items.reload('snapshot')
    expect(items.fails('a[0]/fallback-1', PERMANENT)).toEqual([
      'step.attempt_failed a[0]/fallback-1 1 bad_request',
      'step.failed a[0]/fallback-1 bad_request',
      'step.failed a[0] bad_request',
      'step.completed a',
      'run.completed',
    ])
    const again = make({ a: { tool: 'search', repeat: { max: 2 }, fallback: { value: '${{ previous }}' } } })
    again.start()
    again.done('a/iter-1', 'one')
    expect(again.fails('a/iter-2', PERMANENT)).toContain('step.completed a/iter-2/fallback-1')
    expect(again.output('a')).toBe('one')
  })

  it('of an agent begins when a turn is given up, or it does not get on', () => {
    const fallback = { value: '${{ error.code }}' }
    const agent = { model: MODEL, prompt: 'p', tools: ['search'], max_identical: 2 }
    const stuck = make({ a: { agent, fallback } })
    stuck.start()
    stuck.done('a/turn-1/llm', calls(['search', { q: 1 }]))
    stuck.done('a/turn-1/tool-0')
    expect(stuck.done('a/turn-2/llm', calls(['search', { q: 1 }]))).toContain(
      'step.fallback a repeated_calls → a/fallback-1',
    )
    expect(stuck.output('a')).toBe('repeated_calls')
    const given = make({ a: { agent, fallback } })
    given.start()
    expect(given.fails('a/turn-1/llm', PERMANENT)).toEqual([
      'step.attempt_failed a/turn-1/llm 1 bad_request',
      'step.failed a/turn-1/llm bad_request',
      'step.fallback a bad_request → a/fallback-1',
      'step.completed a/fallback-1',
      'step.completed a',
      'run.completed',
    ])
  })

  it('is no way out of what nobody knows, of a decision, or of the end of time', () => {
    const fallback = { tool: 'find' }
    const unknown = make({ a: { tool: 'mail', fallback } })
    unknown.start()
    expect(unknown.fails('a', AMBIGUOUS)).toContain('step.escalated a ambiguous_state')
    const gated = make({ a: { tool: 'mail', gate: true, fallback } })
    gated.start()
    expect(gated.approve('a', { approved: false })).toContain('step.failed a gate_rejected')
    const late = make({ a: { tool: 'search', deadline: '1m', fallback } })
    late.start()
    expect(late.wake({ a: {} }, 61_000)).toEqual(['step.escalated a deadline_exceeded'])
  })

  it('leaves what it cannot help to the policy of what failed', () => {
    const w = make({ a: { steps: { b: { tool: 'search', deadline: '1m' } }, fallback: { value: 0 } } })
    w.start()
    expect(w.wake({ 'a/b': {} }, 61_000)).toEqual(['step.escalated a/b deadline_exceeded'])
  })

  it('is begun anew when the step is asked for again', () => {
    const w = make({ a: { tool: 'search', deadline: '10m', fallback: { tool: 'find' } } })
    w.start()
    w.fails('a', PERMANENT)
    expect(w.wake({ 'a/fallback-1': {} }, 700_000)).toEqual(['step.escalated a deadline_exceeded'])
    expect(w.step('a/fallback-1').phase).toBe('cancelled')
    expect(w.retry('a')).toEqual(['escalation.resolved a retry', 'step.retried a', 'step.dispatched a 2.1'])
    w.reload()
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 2 bad_request',
      'step.fallback a bad_request → a/fallback-2',
      'step.dispatched a/fallback-2 1.1',
    ])
    expect(w.done('a/fallback-2')).toContain('run.completed')
  })

  it('is cut with its step: its case closes, its child is told, what it reserved is settled', () => {
    const cased = make({ a: { tool: 'search', fallback: { tool: 'find' } } })
    cased.start()
    cased.fails('a', PERMANENT)
    cased.fails('a/fallback-1', PERMANENT)
    expect(cased.openCases).toEqual(['a/fallback-1'])
    cased.skip('a')
    expect(cased.openCases).toEqual([])
    const child = make({ a: { tool: 'search', fallback: { run: 'other' } } })
    child.start()
    child.fails('a', PERMANENT)
    child.override('a', 'by hand')
    expect(child.others).toContainEqual(expect.objectContaining({ kind: 'command' }))
  })

  it('is waited for and undone when the run is cancelled meanwhile', () => {
    const compensate = { tool: 'find', with: { id: '${{ output }}' } }
    const w = make({ a: { tool: 'search', fallback: { tool: 'mail' }, compensate } })
    w.start()
    w.fails('a', PERMANENT)
    w.cancel()
    expect(w.state.closing?.awaited).toEqual(['a/fallback-1'])
    w.reload()
    expect(w.done('a/fallback-1', 'M1')).toContain('step.dispatched a/compensate-1 1.1')
    expect(w.inputOf('a/compensate-1')).toEqual({ tool: 'find', with: { id: 'M1' } })
    expect(w.done('a/compensate-1')).toContain('run.cancelled')
  })

  it('does not give way to an answer that would have to be judged', () => {
    const confidence = { min: 0.5, from: '${{ output }}' }
    const w = make({ a: { tool: 'search', confidence, fallback: { tool: 'mail' }, retry: { attempts: 1 } } })
    w.start()
    w.fails('a', failure('timeout', 'too slow'))
    expect(w.done('a', 0.1, { attempt: 1 })).toEqual([])
    expect(w.done('a/fallback-1')).toContain('run.completed')
  })

  it('gives way to an answer that comes after all', () => {
    const w = make({ a: { tool: 'search', fallback: { tool: 'find' }, retry: { attempts: 1 } } })
    w.start()
    w.fails('a', failure('timeout', 'too slow'))
    expect(w.done('a', 'late', { attempt: 1 })).toEqual(['step.completed a', 'run.completed'])
    expect(w.step('a/fallback-1').phase).toBe('cancelled')
  })
})
