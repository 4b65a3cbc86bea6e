// A callback is answered from outside, by the token of its attempt. Telling the outside is a task; waiting is not.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { CallbackAnswer, Json, StepDefinition } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { AMBIGUOUS, calls, MODEL, PERMANENT, says, TRANSIENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const DAY_MS = 86_400_000
const URL_ = { url: 'https://other.example/jobs', body: { n: '${{ input }}' } }
const told = (more: StepDefinition = {}): World => new World(workflow({ a: { tool: 'callback', with: URL_, ...more } }))
const open = (more: StepDefinition = {}): World => new World(workflow({ a: { tool: 'callback', ...more } }))
const says_ = (output: Json): CallbackAnswer => ({ status: 'completed', output: { value: output } })
const fails = (more: Partial<Extract<CallbackAnswer, { status: 'failed' }>> = {}): CallbackAnswer => ({
  status: 'failed',
  code: 'tool_failed',
  message: 'the press is broken',
  ...more,
})
const ALIVE: CallbackAnswer = { status: 'alive' }

describe('a callback with a url', () => {
  it('is told by a worker, waits without one, and completes with what the outside answers', () => {
    const w = told()
    expect(w.start(7)).toEqual(['run.started', 'step.dispatched a 1.1'])
    expect(w.inputOf('a')).toEqual({ tool: 'callback', with: { url: URL_.url, body: { n: 7 } } })
    // telling is one HTTP call, however long the answer may take
    expect(w.task('a')).toMatchObject({ effect: 'idempotent', effectKey: 'default/r1/a', timeoutMs: 60_000 })
    expect(w.step('a').queue).toBe('tool.http')
    expect(w.done('a', { status: 202 })).toEqual(['callback.told a 1.1'])
    expect(w.step('a')).toMatchObject({ phase: 'waiting', callback: { sinceMs: 1_000, untilMs: 1_000 + DAY_MS } })
    expect(w.state).toMatchObject({ status: 'waiting', counts: { scheduled: 0, waiting: 1 } })
    expect(w.callback('a', says_({ done: true }))).toEqual(['step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual({ done: true })
    expect(w.step('a')).toMatchObject({ callback: null, attempts: [{ outcome: 'completed', worker: 'w_1' }] })
  })

  it('is answered before its worker says that it told: the answer counts, the report is too late', () => {
    const w = told()
    w.start()
    expect(w.callback('a', says_(1))).toEqual(['step.completed a', 'run.completed'])
    expect(w.done('a', { status: 202 })).toEqual([])
    expect(w.output('a')).toBe(1)
  })

  it('that the outside does not take fails as an http call would', () => {
    const w = told({ retry: { attempts: 2 } })
    w.start()
    expect(w.fails('a', TRANSIENT)).toEqual(['step.attempt_failed a 1 provider_error, again'])
    w.wake()
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 2 bad_request',
      'step.escalated a permanent_failure',
    ])
  })

  it('is told again when its worker dies, as the same attempt under the same key; either delivery may tell', () => {
    const w = told()
    w.start()
    expect(w.loses('a')).toEqual(['step.lost a 1.1 worker', 'step.dispatched a 1.2'])
    expect(w.task('a')).toMatchObject({ attempt: 1, delivery: 2, effectKey: 'default/r1/a' })
    // the one that was thought dead
    expect(w.done('a', null, { delivery: 1 })).toEqual(['callback.told a 1.1'])
    expect(w.done('a', null, { delivery: 2 })).toEqual([])
    expect(w.fails('a', TRANSIENT, { delivery: 2 })).toEqual([])
    expect(w.callback('a', says_(1))).toContain('step.completed a')
  })

  it('is answered between two deliveries', () => {
    const w = told()
    w.start()
    w.releases('a', 10_000)
    expect(w.step('a').phase).toBe('retrying')
    expect(w.callback('a', says_(1))).toContain('step.completed a')
  })

  it('has a deadline of its attempt that runs from when its worker began', () => {
    const w = told({ timeout: '10m' })
    w.start()
    w.nowMs += 5_000
    w.done('a', null)
    expect(w.step('a').callback).toEqual({ sinceMs: 6_000, untilMs: 606_000 })
    expect(w.wake({}, 605_999)).toEqual([])
    expect(w.wake({}, 606_000)).toEqual(['step.attempt_failed a 1 timeout, again'])
    expect(w.wake()).toEqual(['step.dispatched a 2.1'])
  })

  it('of effect `once` that nobody answers is doubted, and an answer after all settles the case', () => {
    const w = told({ effect: 'once', timeout: '10m' })
    w.start()
    w.done('a', null)
    expect(w.wake({}, 601_000)).toEqual(['step.attempt_failed a 1 outcome_unknown', 'step.escalated a ambiguous_state'])
    w.callback('a', fails())
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'step_not_waiting' })
    expect(w.callback('a', says_('it was done'))).toEqual([
      'escalation.resolved a late_result',
      'step.completed a',
      'run.completed',
    ])
    expect(w.openCases).toEqual([])
  })

  it('of effect `once` whose worker dies is doubted, and is not told again', () => {
    const w = told({ effect: 'once' })
    w.start()
    expect(w.loses('a', { begun: true })).toEqual([
      'step.attempt_failed a 1 outcome_unknown',
      'step.escalated a ambiguous_state',
    ])
    expect(w.callback('a', says_(1))).toContain('step.completed a')
  })

  it('holds no place among the tasks that are out', () => {
    const w = told({ each: { in: Array.from({ length: 501 }, (_, i) => i) } })
    w.start()
    expect(w.out.length).toBe(500)
    expect(w.done('a[0]', null)).toEqual(['callback.told a[0] 1.1', 'step.dispatched a[500] 1.1'])
  })

  it('is waited for after a load as before', () => {
    for (const from of ['journal', 'snapshot'] as const) {
      const w = told({ timeout: '10m', retry: { attempts: 1 } })
      w.start()
      w.done('a', null)
      w.reload(from)
      expect(w.step('a').callback).toEqual({ sinceMs: 1_000, untilMs: 601_000 })
      expect(w.wake()).toEqual(['step.attempt_failed a 1 timeout', 'step.escalated a max_retries_exceeded'])
    }
  })
})

describe('a callback without a url', () => {
  it('waits from the start: no task goes out', () => {
    const w = open()
    expect(w.start()).toEqual(['run.started', 'callback.opened a 1.1'])
    expect(w.tasks).toEqual([])
    expect(w.step('a')).toMatchObject({ phase: 'waiting', tool: 'callback', effect: 'idempotent' })
    expect(w.callback('a', says_(null))).toEqual(['step.completed a', 'run.completed'])
  })

  it('gets a new token with each attempt', () => {
    const w = open({ timeout: '1m' })
    w.start()
    w.wake()
    expect(w.wake()).toEqual(['callback.opened a 2.1'])
    expect(w.callback('a', says_('late'), { attempt: 1 })).toEqual([])
    expect(w.verdict).toEqual({
      status: 'refused',
      code: 'step_not_waiting',
      message: 'attempt 1 of step a is over; attempt 2 has a token of its own',
    })
    expect(w.callback('a', says_('in time'))).toContain('step.completed a')
  })

  it('may say at run time whether somebody is told', () => {
    const steps = { a: { tool: 'callback', with: { url: '${{ input.url }}' } } }
    const w = new World(workflow(steps))
    expect(w.start({ url: null })).toContain('callback.opened a 1.1')
    const other = new World(workflow(steps))
    expect(other.start({ url: 'https://x.example' })).toContain('step.dispatched a 1.1')
  })

  it('waits beside 500 tasks that are out', () => {
    const w = new World(
      workflow({
        wide: { tool: 'http', with: { url: 'u' }, each: { in: Array.from({ length: 500 }, (_, i) => i) } },
        a: { tool: 'callback' },
      }),
    )
    expect(w.start()).toContain('callback.opened a 1.1')
  })
})

describe('answers', () => {
  it('fail the attempt: by class and policy, as any step', () => {
    const w = open({ retry: { attempts: 2 } })
    w.start()
    expect(w.callback('a', fails())).toEqual(['step.attempt_failed a 1 tool_failed, again'])
    w.wake()
    expect(w.callback('a', fails({ code: 'bad_request', details: { job: 7 } }))).toEqual([
      'step.attempt_failed a 2 bad_request',
      'step.escalated a permanent_failure',
    ])
    expect(w.step('a').failure).toMatchObject({ message: 'the press is broken', details: { job: 7 } })
  })

  it('that fail a `once` step leave it in doubt, unless they say what happened', () => {
    const w = open({ effect: 'once' })
    w.start()
    expect(w.callback('a', fails())).toContain('step.escalated a ambiguous_state')
    const sure = open({ effect: 'once', retry: { attempts: 2 } })
    sure.start()
    expect(sure.callback('a', fails({ class: 'transient' }))).toEqual(['step.attempt_failed a 1 tool_failed, again'])
  })

  it('go to the fallback and to on_failure', () => {
    const w = open({ fallback: { value: 'instead' } })
    w.start()
    expect(w.callback('a', fails({ class: 'permanent' }))).toContain('step.fallback a tool_failed → a/fallback-1')
    expect(w.output('a')).toBe('instead')
    const other = open({ on_failure: 'continue' })
    other.start()
    expect(other.callback('a', fails({ class: 'permanent' }))).toContain('step.failed a tool_failed')
  })

  it('count once: a second is refused, also after the run', () => {
    const w = new World(workflow({ a: { tool: 'callback' }, b: { signal: 'go' } }))
    w.start()
    w.callback('a', says_(1))
    expect(w.callback('a', says_(1))).toEqual([])
    expect(w.verdict).toEqual({ status: 'refused', code: 'step_ended', message: 'step a is completed already' })
    w.signal('go', null)
    w.callback('a', fails())
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'run_ended' })
  })

  it('of another run under the same id, of other steps and of attempts to come are refused', () => {
    const w = new World(workflow({ a: { tool: 'callback' }, b: { signal: 'go' } }))
    w.start()
    for (const more of [{ startedAtMs: 999 }, { attempt: 2 }, { path: 'b' }, { path: 'c' }]) {
      expect(w.callback('a', says_(1), more)).toEqual([])
      expect(w.verdict).toMatchObject({ status: 'refused', code: 'step_not_waiting' })
    }
  })

  it('are judged by the confidence of the step', () => {
    const w = open({ confidence: { min: 0.8, from: '${{ output.sure }}' } })
    w.start()
    expect(w.callback('a', says_({ sure: 0.5 }))).toEqual(['step.answered a', 'step.escalated a low_confidence'])
    w.callback('a', says_({ sure: 1 }))
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'step_not_waiting' })
    expect(w.approve('a')).toContain('step.completed a')
  })

  it('count while the run is paused, and while the case of a deadline is open', () => {
    const w = open({ deadline: '5m' })
    w.start()
    w.wake()
    expect(w.step('a').phase).toBe('escalated')
    w.run('pause')
    expect(w.callback('a', says_(1))).toEqual(['escalation.resolved a late_result', 'step.completed a'])
  })
})

describe('heartbeats', () => {
  it('start the time of the attempt anew', () => {
    const w = open({ timeout: '10m' })
    w.start()
    w.nowMs += 60_000
    expect(w.callback('a', ALIVE)).toEqual(['callback.alive a'])
    expect(w.step('a').callback).toEqual({ sinceMs: 1_000, untilMs: 661_000 })
    expect(w.wake({}, 660_999)).toEqual([])
    expect(w.wake({}, 661_000)).toContain('step.attempt_failed a 1 timeout, again')
  })

  it('close together are one: a journal is no log of them', () => {
    const w = open({ timeout: '10m' })
    w.start()
    w.nowMs += 5_999
    expect(w.callback('a', ALIVE)).toEqual([])
    expect(w.verdict.status).toBe('applied')
    w.nowMs += 1
    expect(w.callback('a', ALIVE)).toEqual(['callback.alive a'])
  })

  it('before the word of the worker say that the outside has it, whatever the worker says', () => {
    const w = told()
    w.start()
    expect(w.callback('a', ALIVE)).toEqual(['callback.alive a'])
    expect(w.step('a').phase).toBe('waiting')
    expect(w.fails('a', PERMANENT)).toEqual([])
    expect(w.loses('a')).toEqual([])
    expect(w.callback('a', says_(1))).toContain('step.completed a')
  })
})

describe('around a callback', () => {
  it('a person may skip or override it, and what is asked again waits again', () => {
    const w = open()
    w.start()
    expect(w.override('a', 'by hand')).toEqual(['step.overridden a', 'run.completed'])
    const late = open({ deadline: '5m', timeout: '1h' })
    late.start()
    late.wake()
    // nobody has failed it: whoever has the token may still answer
    expect(late.retry('a')).toContain('callback.opened a 1.2')
    const edited = open({ deadline: '5m', timeout: '1h' })
    edited.start()
    edited.wake()
    expect(edited.retry('a', { edit: { with: { url: 'https://x.example' } } })).toContain('step.dispatched a 2.1')
    edited.callback('a', says_('to the old input'), { attempt: 1 })
    expect(edited.verdict).toMatchObject({ status: 'refused', code: 'step_not_waiting' })
  })

  it('an edit that tells nobody what it says is refused; one that says nothing hands the token over', () => {
    const w = told({ retry: { attempts: 1 } })
    w.start()
    w.fails('a', PERMANENT)
    w.retry('a', { edit: { with: { body: { n: 1 } } } })
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'bad_request' })
    expect(w.retry('a', { edit: { with: {} } })).toContain('callback.opened a 2.1')
    const gated = told({ gate: true })
    gated.start()
    gated.approve('a', { edits: { body: { n: 1 } } })
    expect(gated.verdict).toMatchObject({ status: 'refused', code: 'bad_request' })
    expect(gated.approve('a', { edits: { url: 'https://x.example' } })).toContain('step.dispatched a 1.1')
  })

  it('a run that undoes what it did waits for it, when it can be undone', () => {
    const compensate = { tool: 'callback', with: { url: 'https://x.example', body: { undo: '${{ output }}' } } }
    const w = told({ compensate })
    w.start()
    w.done('a', null)
    expect(w.cancel()).toEqual(['run.compensating'])
    expect(w.callback('a', says_(7))).toEqual(['step.completed a', 'step.dispatched a/compensate-1 1.1'])
    expect(w.inputOf('a/compensate-1')).toMatchObject({ with: { body: { undo: 7 } } })
    w.done('a/compensate-1', null)
    expect(w.callback('a/compensate-1', says_(null))).toEqual(['step.completed a/compensate-1', 'run.cancelled'])
  })

  it('what was given up and has happened all the same is undone too', () => {
    const w = new World(
      workflow({
        race: {
          tool: 'callback',
          each: { in: [1, 2], join: 'any' },
          compensate: { tool: 'callback' },
        },
        next: { signal: 'go' },
      }),
    )
    w.start()
    w.callback('race[0]', says_(1))
    expect(w.step('race[1]').phase).toBe('cancelled')
    expect(w.callback('race[1]', says_(2))).toEqual(['step.happened race[1]'])
    w.callback('race[1]', says_(2))
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'step_ended' })
    expect(w.cancel()).toContain('callback.opened race[1]/compensate-1 1.1')
  })

  it('an agent may use one as a tool: told of with its arguments, or handed over', () => {
    const tool = (name: string, with_?: Record<string, Json>) => ({
      name,
      description: 'asks the print shop',
      input: { type: 'object' },
      tool: 'callback',
      ...(with_ ? { with: with_ } : {}),
    })
    const w = new World(
      workflow({
        work: {
          agent: { model: MODEL, prompt: 'p', tools: [tool('print', { url: 'https://x/${{ args.q }}' }), tool('ask')] },
        },
      }),
    )
    w.start()
    expect(w.done('work/turn-1/llm', calls(['print', { q: 1 }], ['ask'])).slice(1)).toEqual([
      'step.dispatched work/turn-1/tool-0 1.1',
      'callback.opened work/turn-1/tool-1 1.1',
    ])
    expect(w.inputOf('work/turn-1/tool-0')).toEqual({ tool: 'callback', with: { url: 'https://x/1' } })
    expect(w.done('work/turn-1/tool-0', null)).toEqual(['callback.told work/turn-1/tool-0 1.1'])
    expect(w.step('work/turn-1/tool-0').callback?.untilMs).toBe(1_000 + DAY_MS)
    w.callback('work/turn-1/tool-0', says_('printed'))
    expect(w.callback('work/turn-1/tool-1', fails({ class: 'permanent' }))).toEqual([
      'step.attempt_failed work/turn-1/tool-1 1 tool_failed',
      'step.failed work/turn-1/tool-1 tool_failed',
      'step.dispatched work/turn-2/llm 1.1',
    ])
    expect(w.done('work/turn-2/llm', says('done'))).toContain('run.completed')
  })

  it('a cancelled run refuses the answer', () => {
    const w = open()
    w.start()
    w.cancel()
    w.callback('a', says_(1))
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'run_ended' })
    expect(w.step('a').callback).toBeNull()
  })

  it('a worker that does not know whether it told leaves a `once` step in doubt', () => {
    const w = told({ effect: 'once' })
    w.start()
    expect(w.fails('a', AMBIGUOUS)).toContain('step.escalated a ambiguous_state')
    expect(w.callback('a', says_(1))).toContain('step.completed a')
  })
})
