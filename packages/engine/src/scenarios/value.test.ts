// A value is computed at once: no worker, no wait.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

describe('value', () => {
  it('completes in the turn that starts the run', () => {
    const w = new World(workflow({ a: { value: { double: '${{ input.n * 2 }}' } } }))
    expect(w.start({ n: 21 })).toEqual(['run.started', 'step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual({ double: 42 })
    expect(w.tasks).toEqual([])
  })

  it('sees what came before it: outputs, statuses, errors, the run and its environment', () => {
    const w = new World(
      workflow({
        a: { value: 1 },
        b: { tool: 'http', with: { url: 'u' }, on_failure: 'continue', retry: { attempts: 1 } },
        c: {
          value: {
            sum: '${{ steps.a.output + 1 }}',
            how: '${{ steps.b.status }}',
            why: '${{ steps.b.error.code }}',
            of: '${{ run.id }} ${{ env.REGION }}',
          },
        },
      }),
    )
    w.start(null, { env: { REGION: 'eu' } })
    w.fails('b')
    expect(w.output('c')).toEqual({ sum: 2, how: 'failed', why: 'provider_error', of: 'r1 eu' })
  })

  it('opens a case when it cannot be computed, and may be overridden there', () => {
    const w = new World(workflow({ a: { value: '${{ input.n / 0 }}' } }))
    expect(w.start({ n: 1 })).toEqual(['run.started', 'step.escalated a permanent_failure'])
    expect(w.state.status).toBe('escalated')
    expect(w.step('a').failure?.code).toBe('expression_failed')
    expect(w.step('a').failure?.message).toContain('steps.a.value')
    expect(w.override('a', 7)).toEqual(['escalation.resolved a override', 'step.overridden a', 'run.completed'])
    expect(w.openCases).toEqual([])
  })
})
