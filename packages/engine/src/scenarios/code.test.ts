// A run whose steps are asked for by code: the code is played by a list of what it asks for after so many ends.
import { failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { checkAsked } from '../definition/check-asked.ts'
import { compareAsk } from '../definition/compare-ask.ts'
import { toSnapshot } from '../state/snapshot.ts'
import { begin, give, reload, types, value, WAITING, wait } from './code.fixture.ts'

describe('code', () => {
  it('is asked again after each end, with what is new, until it returns', () => {
    const played = begin()
    give(
      played,
      (told) => {
        if (told === 0) return { asked: [value('a', '${{ input }}'), value('b', 2)], state: WAITING }
        return { asked: [], state: { status: 'returned', output: 'done' } }
      },
      true,
    )
    const asked = ['step.asked', 'step.asked']
    expect(types(played)).toEqual(['run.started', ...asked, 'step.completed', 'step.completed', 'run.completed'])
    expect(played.asked).toEqual([0, 1])
    // what looks like an expression is text
    expect(played.events[3]).toMatchObject({ path: 'a', output: { value: '${{ input }}' } })
  })

  it.each(['snapshot', 'journal'] as const)(
    'goes on out of its %s: it is told all again, and nothing is asked twice',
    (from) => {
      const played = begin()
      const first = [value('a', 1), wait('w')]
      give(played, (told) => ({ asked: told === 0 ? first : [], state: WAITING }), true)
      const again = reload(played, from)
      expect(again.state.topEnds).toEqual(['a'])
      expect(toSnapshot(again.state)).toBe(toSnapshot(played.state))
      give(again, () => ({ asked: [...first, value('late', 3)], state: WAITING }), false)
      expect(again.asked.at(-2)).toBe(0)
      expect(types(again).slice(-2)).toEqual(['step.asked', 'step.completed'])
    },
  )

  it('that asks otherwise, or no more, fails the run with the step', () => {
    for (const [second, message] of [
      [[value('a', 2), wait('w')], 'step a: value is 2, but was 1 when the run came to it'],
      [[value('a', 1)], 'step w: the code does not ask for it any more'],
    ] as const) {
      const played = begin()
      give(played, (told) => ({ asked: told === 0 ? [value('a', 1), wait('w')] : [], state: WAITING }), true)
      const again = reload(played, 'journal')
      give(again, () => ({ asked: second, state: WAITING }), false)
      const expected = { code: 'code_changed', message: expect.stringContaining(message) }
      expect(again.events.at(-1)).toMatchObject({ type: 'run.failed', failure: expected })
    }
  })

  it('that threw fails the run with what it threw; a step that it did not catch is named', () => {
    const cause = failure('http_error', 'status 404')
    const played = begin()
    give(played, () => ({ asked: [value('a', 1)], state: { status: 'threw', failure: cause, step: 'a' } }), true)
    expect(played.events.at(-1)).toMatchObject({ type: 'run.failed', failure: cause, path: 'a' })
    expect(played.events).toHaveLength(2)
  })

  it('that waits for no step fails the run', () => {
    const played = begin()
    give(played, () => ({ asked: [], state: WAITING }), true)
    expect(played.events.at(-1)).toMatchObject({ type: 'run.failed', failure: { code: 'code_failed' } })
  })
})

describe('compareAsk', () => {
  it.each([
    [{ a: 1, b: { c: [1] } }, { b: { c: [1] }, a: 1 }, null],
    [{ tool: 'x', with: { n: [1, 2] } }, { tool: 'x', with: { n: [1, 3] } }, 'step s: with.n.1 is 3, but was 2'],
    [{ tool: 'x' }, { tool: 'x', timeout: '1s' }, 'step s: timeout is "1s", but was nothing'],
    [{ wait: '1h' }, { signal: 'x' }, 'step s: signal is "x", but was nothing'],
    [
      { with: { t: 'x'.repeat(500) } },
      { with: { t: 'y'.repeat(500) } },
      `step s: with.t is "${'y'.repeat(79)}…, but was "x`,
    ],
  ])('%j and %j', (journal, asked, message) => {
    const found = compareAsk('s', journal, asked)
    if (message === null) expect(found).toBeNull()
    else expect(found).toContain(message)
  })
})

describe('checkAsked', () => {
  it('takes literals that look like expressions, and markers of secrets', () => {
    const step = {
      tool: 'http',
      with: { url: '${{ nothing }}', query: { '${{ key }}': 1 }, body: { $concat: ['B ', { $secret: 'T' }] } },
    }
    expect(checkAsked('s', step)).toEqual({ ok: true, step })
  })

  it.each([
    [{ tool: 'x', needs: ['a'], each: '1' }, 'step s: needs, each: the code says that itself'],
    [{ tool: 'x', timeout: 'soon' }, 'step s: timeout: '],
    [{ tool: 'x', wait: '1h' }, 'step s: '],
    [7, 'step s: '],
  ])('refuses %j', (step, message) => {
    expect(checkAsked('s', step)).toMatchObject({ ok: false, message: expect.stringContaining(message) })
  })
})
