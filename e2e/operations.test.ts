// What people do to runs, over REST and on a whole fleet: each decision takes effect, once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition, JournalEvent } from './api.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'

const MODEL = 'anthropic/claude-haiku-5-5'

describe('an operator', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await Promise.all([fleet.orchestrator('all'), fleet.desk(), fleet.toolWorker(), fleet.llmWorker()])
  }, START_MS)
  afterAll(() => fleet.close())

  const start = async (name: string, definition: Omit<Definition, 'name'> & { steps: Definition['steps'] }) => {
    const id = newRunId(name)
    await fleet.api.accepted({ name, ...definition }, { id })
    return id
  }
  const act = (run: string, verb: string, body?: unknown, key?: string) =>
    fleet.api.post<{ applied?: boolean; code?: string }>(
      `/runs/${run}/${verb}`,
      body,
      key === undefined ? undefined : { 'idempotency-key': key },
    )
  const applied = { status: 200, body: { applied: true } }
  const ofType = (events: readonly JournalEvent[], type: string): JournalEvent[] =>
    events.filter((event) => event.type === type)
  /** The history of a run that kept every rule. */
  const wellDone = async (run: string): Promise<JournalEvent[]> => {
    const { events, violations } = await fleet.check(run)
    expect(violations).toEqual([])
    return events
  }

  it('approves once, and the approval carries edits', async () => {
    const run = await start('approval', {
      steps: {
        ask: { approval: { show: { amount: 3 }, assignee: 'editors' } },
        act: { tool: 'note', with: { text: '${{ steps.ask.output.edits.text }}' } },
      },
      output: { approved: '${{ steps.ask.output.approved }}', text: '${{ steps.act.output.text }}' },
    })
    await fleet.api.stepIs(run, 'ask', 'waiting')
    expect(await fleet.api.run(run)).toMatchObject({ status: 'waiting' })
    const body = { by: 'ada', reason: 'good', edits: { text: 'edited' } }
    expect(await act(run, 'steps/ask/approve', body, 'key-approve')).toMatchObject(applied)
    // the same request again is the same decision; another one comes too late
    expect(await act(run, 'steps/ask/approve', body, 'key-approve')).toMatchObject(applied)
    expect(await fleet.api.ended(run)).toMatchObject({
      status: 'completed',
      output: { approved: true, text: 'edited' },
    })
    expect((await act(run, 'steps/ask/reject')).status).toBe(409)
    const events = await wellDone(run)
    expect(ofType(events, 'approval.given')).toMatchObject([{ path: 'ask', by: 'ada' }])
    expect(fleet.effects(run)).toHaveLength(2)
  })

  it('rejects: the run goes on with the answer', async () => {
    const run = await start('rejection', {
      steps: {
        ask: { approval: {} },
        act: { if: '${{ steps.ask.output.approved }}', tool: 'note' },
      },
      output: '${{ steps.act.status }}',
    })
    await fleet.api.stepIs(run, 'ask', 'waiting')
    expect(await act(run, 'steps/ask/reject', { by: 'ada' })).toMatchObject(applied)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'skipped' })
    await wellDone(run)
    expect(fleet.effects(run)).toEqual([])
  })

  it('opens a gate through the desk: what is gated runs with the edited input, not before', async () => {
    const run = await start('gate', { steps: { pay: { tool: 'pay', gate: true, with: { amount: 10 } } } })
    const found = await eventually(async () => (await fleet.api.cases(run))[0], { what: 'the gate at the desk' })
    expect(found).toMatchObject({ path: 'pay', reason: 'irreversible_action', actions: ['approve', 'reject'] })
    expect(fleet.effects(run)).toEqual([])
    const decision = { action: 'approve', by: 'ada', edits: { amount: 9 } }
    expect((await fleet.api.post(`/escalations/${found.id}/resolve`, decision)).status).toBe(200)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed' })
    await wellDone(run)
    expect(fleet.effects(run)).toMatchObject([
      { phase: 'begun', input: { amount: 9 } },
      { phase: 'done', input: { amount: 9 } },
    ])
    await eventually(async () => (await fleet.api.cases(run))[0]?.status === 'closed', {
      what: 'the case to be closed',
    })
  })

  it('closes a gate: what is gated never runs', async () => {
    const run = await start('closed-gate', { steps: { pay: { tool: 'pay', gate: true, on_failure: 'fail' } } })
    await fleet.api.stepIs(run, 'pay', 'waiting')
    expect(await act(run, 'steps/pay/reject', { by: 'ada', reason: 'no' })).toMatchObject(applied)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'failed', failure: { code: 'gate_rejected' } })
    await wellDone(run)
    expect(fleet.effects(run)).toEqual([])
  })

  it('sends signals: each is consumed once, in order, also one that came early', async () => {
    const run = await start('signals', {
      steps: {
        wait: { signal: 'go' },
        second: { signal: { name: 'go', schema: { type: 'object', required: ['n'] } }, needs: ['wait'] },
      },
      output: ['${{ steps.wait.output.n }}', '${{ steps.second.output.n }}'],
    })
    await fleet.api.stepIs(run, 'wait', 'waiting')
    const first = await act(run, 'signals/go', { n: 1 }, 'key-signal')
    expect(first).toMatchObject(applied)
    expect(await act(run, 'signals/go', { n: 1 }, 'key-signal')).toMatchObject(applied)
    expect(await act(run, 'signals/go', { n: 2 })).toMatchObject(applied)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: [1, 2] })
    expect(ofType(await wellDone(run), 'signal.received')).toHaveLength(2)
  })

  it('pauses: nothing new starts until it is resumed', async () => {
    const gate = fleet.path('pause-gate')
    const run = await start('pause', {
      steps: { first: { tool: 'wait', with: { gate } }, last: { tool: 'note', needs: ['first'] } },
    })
    await fleet.effect(run, 'begun')
    expect(await act(run, 'pause', { by: 'ada' })).toMatchObject(applied)
    expect(await act(run, 'pause')).toMatchObject({ status: 409, body: { code: 'run_paused' } })
    fleet.unlock(gate)
    await fleet.api.stepIs(run, 'first', 'completed')
    expect(await fleet.api.run(run)).toMatchObject({ status: 'paused' })
    expect(ofType(await fleet.api.journal(run), 'step.dispatched')).toHaveLength(1)

    expect(await act(run, 'resume', { by: 'ada' })).toMatchObject(applied)
    expect(await act(run, 'resume')).toMatchObject({ status: 409 })
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed' })
    const events = await wellDone(run)
    const at = (type: string, path?: string): number =>
      events.find((event) => event.type === type && (path === undefined || event.path === path))?.seq ?? 0
    expect(at('step.dispatched', 'last')).toBeGreaterThan(at('run.resumed'))
  })

  it('retries a failed step with another input, under another effect key', async () => {
    const run = await start('retry', {
      steps: { act: { tool: 'picky', with: { good: false }, retry: { attempts: 1 } } },
      output: '${{ steps.act.output }}',
    })
    await fleet.api.stepIs(run, 'act', 'escalated')
    const edit = { by: 'ada', edit: { with: { good: true } } }
    expect(await act(run, 'steps/act/retry', edit, 'key-retry')).toMatchObject(applied)
    expect(await act(run, 'steps/act/retry', edit, 'key-retry')).toMatchObject(applied)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: { taken: true } })
    await wellDone(run)
    const keys = fleet.effects(run).map(({ key, phase }) => `${phase} ${key}`)
    expect(keys).toEqual([`begun default/${run}/act`, `begun default/${run}/act~2`, `done default/${run}/act~2`])
  })

  it('retries a model call with another model', async () => {
    const run = await start('remodel', {
      steps: { ask: { llm: { model: MODEL, prompt: '[[scripted: fail=400 times=1]] [[scripted: say=fine]]' } } },
      output: '${{ steps.ask.output }}',
    })
    await fleet.api.stepIs(run, 'ask', 'escalated')
    const edit = { by: 'ada', edit: { model: 'anthropic/claude-sonnet-5-5', prompt: '[[scripted: say=better]]' } }
    expect(await act(run, 'steps/ask/retry', edit)).toMatchObject(applied)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'better' })
    await wellDone(run)
    expect(fleet.modelCalls(run).map(({ outcome }) => outcome)).toEqual(['begun', 'failed', 'begun', 'answered'])
  })

  it('skips a failed step, and overrides another', async () => {
    const picky = { tool: 'picky', with: { good: false }, retry: { attempts: 1 } }
    const run = await start('mend', {
      steps: {
        left: picky,
        right: picky,
        last: { tool: 'note', needs: ['right'], with: { text: '${{ steps.right.output.by_hand }}' } },
      },
      output: { left: '${{ steps.left.status }}', right: '${{ steps.last.output.text }}' },
    })
    await fleet.api.stepIs(run, 'left', 'escalated')
    await fleet.api.stepIs(run, 'right', 'escalated')
    expect(await act(run, 'steps/left/skip', { by: 'ada' })).toMatchObject(applied)
    const output = { by: 'ada', output: { by_hand: 'yes' } }
    expect(await act(run, 'steps/right/override', output, 'key-override')).toMatchObject(applied)
    expect(await act(run, 'steps/right/override', output, 'key-override')).toMatchObject(applied)
    expect(await act(run, 'steps/right/skip')).toMatchObject({ status: 409 })
    expect(await fleet.api.ended(run)).toMatchObject({
      status: 'completed',
      output: { left: 'skipped', right: 'yes' },
    })
    const events = await wellDone(run)
    expect(ofType(events, 'step.overridden')).toMatchObject([{ path: 'right', by: 'ada' }])
    expect(ofType(events, 'step.skipped')).toMatchObject([{ path: 'left', because: 'operator', by: 'ada' }])
    expect(
      fleet
        .effects(run)
        .map(({ tool, phase }) => `${tool} ${phase}`)
        .sort(),
    ).toEqual(['note begun', 'note done', 'picky begun', 'picky begun'])
  })
})
