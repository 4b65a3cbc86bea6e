// Scenarios: sagas. What has completed is undone, newest first, before the run ends.
import { describe, expect, it } from 'vitest'
import { AMBIGUOUS, moduleTool, PERMANENT, TRANSIENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = {
  tools: ['book', 'pay', 'undo', 'mail']
    .map((name) => moduleTool(name, 'idempotent'))
    .concat(moduleTool('charge', 'once')),
}
const undo = { tool: 'undo', with: { id: '${{ output }}' } }
const make = (steps: Parameters<typeof workflow>[0], more = {}) => new World(workflow(steps, more), TOOLS)
const saga = () =>
  make({
    flight: { tool: 'book', compensate: undo },
    hotel: { tool: 'book', needs: ['flight'], compensate: undo },
    pay: { tool: 'pay', needs: ['hotel'], on_failure: 'fail' },
  })

describe('compensate', () => {
  it('undoes in reverse order of completion, one at a time, then fails the run', () => {
    const w = saga()
    w.start()
    w.done('flight', 'F1')
    w.done('hotel', 'H1')
    expect(w.fails('pay', PERMANENT)).toEqual([
      'step.attempt_failed pay 1 bad_request',
      'step.failed pay bad_request',
      'run.compensating pay',
      'step.dispatched hotel/compensate-1 1.1',
    ])
    expect(w.inputOf('hotel/compensate-1')).toEqual({ tool: 'undo', with: { id: 'H1' } })
    w.reload()
    expect(w.done('hotel/compensate-1')).toEqual([
      'step.completed hotel/compensate-1',
      'step.dispatched flight/compensate-1 1.1',
    ])
    w.reload('snapshot')
    expect(w.done('flight/compensate-1')).toEqual(['step.completed flight/compensate-1', 'run.failed'])
    expect([w.step('flight').phase, w.step('hotel').phase, w.state.failedStep]).toEqual([
      'compensated',
      'compensated',
      'pay',
    ])
  })

  it('undoes what has happened after it was given up', () => {
    const race = { tool: 'book', each: { in: [1, 2], join: 'any' as const }, compensate: undo }
    const w = make({ a: race, b: { tool: 'pay', needs: ['a'], on_failure: 'fail' } })
    w.start()
    w.done('a[0]', 'won')
    expect(w.step('a[1]').phase).toBe('cancelled')
    expect(w.done('a[1]', 'too late')).toEqual(['step.happened a[1]'])
    w.reload('snapshot')
    expect(w.fails('b', PERMANENT)).toContain('step.dispatched a[1]/compensate-1 1.1')
    expect(w.inputOf('a[1]/compensate-1')).toEqual({ tool: 'undo', with: { id: 'too late' } })
    expect(w.done('a[1]/compensate-1')).toContain('step.dispatched a[0]/compensate-1 1.1')
    expect(w.done('a[0]/compensate-1')).toContain('run.failed')
  })

  it('undoes what was done, also when its answer is doubted', () => {
    const confidence = { min: 0.9, from: '${{ output.sure }}' }
    const step = { tool: 'charge', confidence, compensate: { tool: 'undo', with: { id: '${{ output.id }}' } } }
    const w = make({ a: step })
    w.start()
    expect(w.done('a', { sure: 0.1, id: 'C1' })).toContain('step.escalated a low_confidence')
    expect(w.cancel()).toContain('step.dispatched a/compensate-1 1.1')
    expect(w.inputOf('a/compensate-1')).toEqual({ tool: 'undo', with: { id: 'C1' } })
    expect(w.done('a/compensate-1')).toContain('run.cancelled')
    const failed = make({ a: { ...step, on_failure: 'fail' } })
    failed.start()
    expect(failed.done('a', { sure: 0.1, id: 'C2' })).toContain('step.dispatched a/compensate-1 1.1')
  })

  it('undoes what is only told while others are undone', () => {
    const w = make({
      a: { tool: 'book', compensate: undo },
      b: { tool: 'book', needs: ['a'], compensate: undo, deadline: '1m', on_failure: 'fail' },
    })
    w.start()
    w.done('a', 'A1')
    expect(w.wake({ b: {} }, 70_000)).toContain('step.dispatched a/compensate-1 1.1')
    w.done('b', 'B1')
    w.reload()
    expect(w.done('a/compensate-1')).toContain('step.dispatched b/compensate-1 1.1')
    expect(w.done('b/compensate-1')).toContain('run.failed')
    // after the end nothing is undone any more
    const late = saga()
    late.start()
    late.cancel({ compensate: false })
    expect(late.done('flight', 'F1', { usage: null })).toEqual([])
  })

  it('retries, escalates, and goes on when a person has decided', () => {
    const w = saga()
    w.start()
    w.done('flight', 'F1')
    w.done('hotel', 'H1')
    w.fails('pay', PERMANENT)
    expect(w.fails('hotel/compensate-1', TRANSIENT)).toEqual([
      'step.attempt_failed hotel/compensate-1 1 provider_error, again',
    ])
    w.wake()
    expect(w.fails('hotel/compensate-1', PERMANENT)).toContain('step.escalated hotel/compensate-1 permanent_failure')
    expect(w.state.status).toBe('escalated')
    expect(w.skip('hotel/compensate-1')).toContain('step.dispatched flight/compensate-1 1.1')
    expect(w.done('flight/compensate-1')).toContain('run.failed')
    expect(w.step('hotel').phase).toBe('completed')
  })

  it('tries again though the deadlines of what it undoes are over', () => {
    const inner = { tool: 'book', deadline: '1m', compensate: undo } as const
    for (const [steps, path] of [
      [{ a: inner, nap: { wait: '1h' } }, 'a'],
      [{ a: { deadline: '2m', steps: { b: inner } }, nap: { wait: '1h' } }, 'a/b'],
    ] as const) {
      const w = make(steps)
      w.start()
      w.done(path, 'A1')
      w.nowMs += 600_000
      w.cancel()
      expect(w.fails(`${path}/compensate-1`, TRANSIENT)).toEqual([
        `step.attempt_failed ${path}/compensate-1 1 provider_error, again`,
      ])
    }
  })

  it('follows a cancel, unless it says not to', () => {
    const w = saga()
    w.start()
    w.done('flight', 'F1')
    expect(w.cancel()).toEqual(['run.compensating'])
    expect(w.state.closing?.awaited).toEqual(['hotel'])
    // the booking that was out has happened, so it is undone too
    expect(w.done('hotel', 'H1')).toEqual(['step.completed hotel', 'step.dispatched hotel/compensate-1 1.1'])
    w.done('hotel/compensate-1')
    expect(w.done('flight/compensate-1')).toContain('run.cancelled')

    const other = saga()
    other.start()
    other.done('flight', 'F1')
    expect(other.cancel({ compensate: false })).toEqual(['run.cancelled'])
  })

  it('does not try again what was out and failed while the run closes', () => {
    const w = saga()
    w.start()
    w.done('flight', 'F1')
    w.cancel()
    expect(w.fails('hotel', TRANSIENT)).toEqual([
      'step.attempt_failed hotel 1 provider_error',
      'step.failed hotel provider_error',
      'step.dispatched flight/compensate-1 1.1',
    ])
  })

  it('waits for a person when nobody knows whether it happened', () => {
    const w = make({ charge: { tool: 'charge', compensate: undo }, other: { tool: 'mail', on_failure: 'fail' } })
    w.start()
    w.fails('charge', AMBIGUOUS)
    expect(w.fails('other', PERMANENT)).toContain('run.compensating other')
    expect([w.state.status, w.openCases]).toEqual(['escalated', ['charge']])
    expect(w.override('charge', 'C1')).toContain('step.dispatched charge/compensate-1 1.1')
    expect(w.inputOf('charge/compensate-1')).toEqual({ tool: 'undo', with: { id: 'C1' } })
    expect(w.done('charge/compensate-1')).toContain('run.failed')
  })

  it('undoes items and iterations one by one', () => {
    const w = make({
      s: {
        each: { in: [1, 2] },
        repeat: { max: 2 },
        tool: 'book',
        compensate: { tool: 'undo', with: { n: '${{ item }}', id: '${{ output }}' } },
      },
      end: { needs: ['s'], tool: 'mail', on_failure: 'fail' },
    })
    w.start()
    for (const path of ['s[0]/iter-1', 's[1]/iter-1', 's[1]/iter-2', 's[0]/iter-2']) w.done(path, path)
    w.fails('end', PERMANENT)
    const undone: unknown[] = []
    for (let [path] = w.out; path; [path] = w.out) {
      undone.push(w.inputOf(path))
      w.done(path)
    }
    expect(undone).toEqual(
      ['s[0]/iter-2', 's[1]/iter-2', 's[1]/iter-1', 's[0]/iter-1'].map((id) => ({
        tool: 'undo',
        with: { n: id.startsWith('s[0]') ? 1 : 2, id },
      })),
    )
    expect(w.state.status).toBe('failed')
  })

  it('follows the deadline of the run', () => {
    const w = make({ a: { tool: 'book', compensate: undo }, nap: { wait: '2h' } }, { deadline: '1h' })
    w.start()
    w.done('a')
    while (!w.state.closing) w.wake()
    expect(w.state.closing?.failure?.code).toBe('deadline_exceeded')
    expect(w.done('a/compensate-1')).toContain('run.failed')
  })

  it('refuses a second cancel, and ends at once when it is told to', () => {
    const w = saga()
    w.start()
    w.done('flight')
    w.cancel()
    w.cancel()
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'run_closing' })
    expect(w.cancel({ compensate: false })).toEqual(['run.cancelled'])
  })
})
