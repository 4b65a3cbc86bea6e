// An approval waits for a person: given, refused, or nobody came in time.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const AT = '1970-01-01T00:00:01.000Z'

describe('approval', () => {
  it('asks the desk with what is to be shown, to whom, until when', () => {
    const w = new World(
      workflow({ a: { approval: { show: { text: '${{ input }}' }, assignee: 'editors', expires: '1h' } } }),
    )
    expect(w.start('draft')).toEqual(['run.started', 'approval.asked a'])
    expect(w.state.status).toBe('waiting')
    expect(w.notices).toMatchObject([
      {
        type: 'opened',
        path: 'a',
        case: 'esc_r1_2',
        reason: 'requires_human',
        kind: 'approval',
        show: { text: 'draft' },
        assignee: 'editors',
        expiresAtMs: 3_601_000,
      },
    ])
  })

  it('completes with the answer, its edits too', () => {
    const w = new World(workflow({ a: { approval: {} } }))
    w.start()
    expect(w.approve('a', { edits: { text: 'better' }, reason: 'nearly' })).toEqual([
      'approval.given a yes',
      'step.completed a',
      'run.completed',
    ])
    expect(w.output('a')).toEqual({ approved: true, by: 'ann', at: AT, reason: 'nearly', edits: { text: 'better' } })
    expect(w.notices.at(-1)).toMatchObject({ type: 'closed', action: 'approve', by: 'ann', why: 'nearly' })
    expect(w.openCases).toEqual([])
  })

  it('completes when it is rejected too; what follows looks at the answer', () => {
    const w = new World(workflow({ a: { approval: {} }, b: { value: 1, if: '${{ steps.a.output.approved }}' } }))
    w.start()
    expect(w.approve('a', { approved: false })).toEqual([
      'approval.given a no',
      'step.completed a',
      'step.skipped b if',
      'run.completed',
    ])
    expect(w.output('a')).toEqual({ approved: false, by: 'ann', at: AT, reason: null, edits: null })
  })

  it.each([
    [undefined, 'no', false],
    ['reject' as const, 'no', false],
    ['approve' as const, 'yes', true],
  ])('on expiry %s answers %s', (on_expiry, word, approved) => {
    const w = new World(workflow({ a: { approval: { expires: '1h', on_expiry } } }))
    w.start()
    expect(w.wake()).toEqual([`approval.given a ${word}`, 'step.completed a', 'run.completed'])
    expect(w.nowMs).toBe(3_601_000)
    expect(w.output('a')).toMatchObject({ approved, by: 'expiry', reason: 'nobody answered in time' })
  })

  it('on expiry may become a case, which a person still answers', () => {
    const w = new World(workflow({ a: { approval: { expires: '1h', on_expiry: 'escalate' } } }))
    w.start()
    expect(w.wake()).toEqual(['step.escalated a requires_human'])
    expect(w.state.status).toBe('escalated')
    expect(w.approve('a')).toEqual(['approval.given a yes', 'step.completed a', 'run.completed'])
  })

  it('is answered once: the second answer is refused', () => {
    const w = new World(workflow({ a: { approval: {} }, b: { wait: '1h' } }))
    w.start()
    w.approve('a', { case: 'esc_r1_2' })
    expect(w.verdict.status).toBe('applied')
    expect(w.approve('a', { case: 'esc_r1_2' })).toEqual([])
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'case_closed' })
    expect(w.approve('a')).toEqual([])
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'step_ended' })
  })

  it('takes no secret markers in its edits', () => {
    const w = new World(workflow({ a: { approval: {} } }))
    w.start()
    expect(w.approve('a', { edits: { x: { $secret: 'KEY' } } })).toEqual([])
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'bad_request' })
  })

  it('is asked for each item of an each', () => {
    const w = new World(workflow({ a: { approval: { show: '${{ item }}' }, each: { in: ['x', 'y'] } } }))
    expect(w.start()).toEqual(['run.started', 'step.opened a each', 'approval.asked a[0]', 'approval.asked a[1]'])
    w.approve('a[1]', { approved: false })
    w.approve('a[0]')
    expect(w.output('a')).toMatchObject([{ approved: true }, { approved: false }])
  })
})
