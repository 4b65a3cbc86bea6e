// The tools of an agent: side by side, and what the model is told when one of them fails.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { AMBIGUOUS, calls, MODEL, moduleTool, PERMANENT, says, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read'), moduleTool('mail', 'once')] }
const world = (more: { gate?: boolean } = {}) =>
  new World(
    workflow({
      a: {
        agent: {
          model: MODEL,
          prompt: 'p',
          tools: [
            'find',
            'mail',
            {
              name: 'search',
              description: 'searches',
              input: { type: 'object' },
              tool: 'http',
              with: { url: 'https://x/?q=${{ args.q }}', headers: { key: '${{ secrets.KEY }}' } },
              retry: { attempts: 2 },
              timeout: '3s',
              ...more,
            },
          ],
        },
      },
    }),
    TOOLS,
  )
const TOOL = 'a/turn-1/tool-0'

describe('tools of an agent', () => {
  it('run side by side; one that fails is an answer, and the others are kept', () => {
    const w = world()
    w.start()
    w.done('a/turn-1/llm', calls(['find'], ['find']))
    expect(w.fails('a/turn-1/tool-1', PERMANENT)).toEqual([
      'step.attempt_failed a/turn-1/tool-1 1 bad_request',
      'step.failed a/turn-1/tool-1 bad_request',
    ])
    expect(w.done(TOOL)).toEqual([`step.completed ${TOOL}`, 'step.dispatched a/turn-2/llm 1.1'])
    expect(w.inputOf('a/turn-2/llm')).toMatchObject({
      agent: { history: ['a/turn-1/llm', TOOL, 'a/turn-1/tool-1'].map((path) => w.step(path).endSeq) },
    })
  })

  it('that were never offered are an answer too, without a task', () => {
    const w = world()
    w.start()
    expect(w.done('a/turn-1/llm', calls(['fly']))).toEqual([
      'step.completed a/turn-1/llm',
      `step.failed ${TOOL} tool_unknown`,
      'step.dispatched a/turn-2/llm 1.1',
    ])
    expect(w.step(TOOL).failure).toMatchObject({
      class: 'permanent',
      message: expect.stringContaining('find, mail, search'),
    })
  })

  it('with arguments that name a secret are refused: the model may not write a marker', () => {
    const w = world()
    w.start()
    expect(w.done('a/turn-1/llm', calls(['find', { q: { $secret: 'KEY' } }]))).toEqual([
      'step.completed a/turn-1/llm',
      `step.failed ${TOOL} tool_input_invalid`,
      'step.dispatched a/turn-2/llm 1.1',
    ])
    expect(w.tasks.map((task) => task.kind)).toEqual(['llm', 'llm'])
  })

  it('declared in the definition are rendered from the arguments; only the definition may name a secret', () => {
    const w = world()
    w.start()
    w.done('a/turn-1/llm', calls(['search', { q: 'x' }]))
    expect(w.inputOf(TOOL)).toEqual({
      tool: 'http',
      with: { url: 'https://x/?q=x', headers: { key: { $secret: 'KEY' } } },
    })
    expect(w.step(TOOL)).toMatchObject({ queue: 'tool.http', tool: 'search', timeoutMs: 3_000, effect: 'read' })
  })

  it('are retried by their own policy', () => {
    const w = world()
    w.start()
    w.done('a/turn-1/llm', calls(['search', { q: 'x' }]))
    expect(w.fails(TOOL)).toEqual([`step.attempt_failed ${TOOL} 1 provider_error, again`])
    w.wake()
    expect(w.fails(TOOL)).toEqual([
      `step.attempt_failed ${TOOL} 2 provider_error`,
      `step.failed ${TOOL} provider_error`,
      'step.dispatched a/turn-2/llm 1.1',
    ])
  })

  it('behind a gate wait for a person; rejected, the model reads of it', () => {
    const w = world({ gate: true })
    w.start()
    expect(w.done('a/turn-1/llm', calls(['search', { q: 'x' }]))).toEqual([
      'step.completed a/turn-1/llm',
      `approval.asked ${TOOL} gate`,
    ])
    expect(w.notices.at(-1)).toMatchObject({ type: 'opened', path: TOOL, kind: 'tool', reason: 'irreversible_action' })
    expect(w.approve(TOOL, { approved: false })).toEqual([
      `approval.given ${TOOL} no`,
      `step.failed ${TOOL} gate_rejected`,
      'step.dispatched a/turn-2/llm 1.1',
    ])
  })

  it('behind a gate run when approved, with the edits', () => {
    const w = world({ gate: true })
    w.start()
    w.done('a/turn-1/llm', calls(['search', { q: 'x' }]))
    expect(w.approve(TOOL, { edits: { url: 'https://y' } })).toEqual([
      `approval.given ${TOOL} yes`,
      `step.dispatched ${TOOL} 1.1`,
    ])
    expect(w.inputOf(TOOL)).toEqual({ tool: 'http', with: { url: 'https://y' } })
  })

  it.each([
    ['failed', PERMANENT, 'permanent_failure'],
    ['may have happened', AMBIGUOUS, 'ambiguous_state'],
  ])('of effect once open a case when the call %s', (_, cause, reason) => {
    const w = world()
    w.start()
    w.done('a/turn-1/llm', calls(['mail']))
    expect(w.fails(TOOL, cause)).toEqual([
      `step.attempt_failed ${TOOL} 1 ${cause.code}`,
      `step.escalated ${TOOL} ${reason}`,
    ])
    expect(w.fail(TOOL)).toEqual([
      `escalation.resolved ${TOOL} fail`,
      `step.failed ${TOOL} failed_by_operator`,
      'step.dispatched a/turn-2/llm 1.1',
    ])
    w.done('a/turn-2/llm', says('so be it'))
    expect(w.state.status).toBe('completed')
  })

  it('of effect once that refused their arguments were not called: the model reads of it', () => {
    const w = world()
    w.start()
    w.done('a/turn-1/llm', calls(['mail']))
    const cause = { ...PERMANENT, code: 'tool_input_invalid' as const }
    expect(w.fails(TOOL, cause)).toContain(`step.failed ${TOOL} tool_input_invalid`)
  })

  it('may be skipped by an operator', () => {
    const w = world()
    w.start()
    w.done('a/turn-1/llm', calls(['find']))
    expect(w.skip(TOOL)).toEqual([`step.skipped ${TOOL} operator`, 'step.dispatched a/turn-2/llm 1.1'])
  })
})
