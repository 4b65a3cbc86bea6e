// A step that waits for a callback, as callers see it; and its answers, through the engine's loop over the memory store.
import type { CallbackAnswer, Definition, StepView } from '@stepfleet/contracts'
import { callbackToken, readCallbackToken } from '@stepfleet/runtime'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Plans } from '../drive/plans.ts'
import { createWorld, type World } from '../drive/world.fixture.ts'
import { viewRun } from './run-view.ts'

const SECRET = 'a-secret-of-the-fleet'
const definition: Definition = {
  name: 'print',
  steps: {
    print: { tool: 'callback', with: { url: 'https://shop.example/jobs' }, timeout: '1h' },
    sign: { tool: 'callback', needs: ['print'] },
  },
}

let world: World
let asked: number
beforeEach(() => {
  world = createWorld()
  asked = 0
})
afterEach(() => world.stop())

const view = () =>
  viewRun(
    {
      store: world.store,
      plans: new Plans(world.store),
      tools: async () => new Map(),
      budgets: world.budgets,
      callbackSecret: async () => {
        asked += 1
        return SECRET
      },
    },
    'default',
    'r1',
  )
const stepIs = (path: string, status: StepView['status']): Promise<StepView> =>
  eventually(
    async () => {
      await world.work()
      return (await view())?.steps.find((step) => step.path === path && step.status === status) ?? null
    },
    { timeoutMs: 10_000, what: `${path} to be ${status}` },
  )

const answer = (token: string, said: CallbackAnswer): Promise<void> => {
  const ref = readCallbackToken(SECRET, token)
  if (!ref) throw new Error('no token')
  const by = { kind: 'caller', id: 'callback' } as const
  return world.store.send({ ...ref, id: `answer-${ref.path}-${said.status}`, type: 'callback', by, answer: said })
}

it('shows the token, since when and until when; an answer by it completes the step, and the token is gone', async () => {
  await world.startEngine()
  await world.submit(definition, 'r1')
  const waiting = await stepIs('print', 'waiting')
  const { token = '', sinceMs = 0, untilMs = 0 } = waiting.callback ?? {}
  const { startedAtMs = 0 } = readCallbackToken(SECRET, token) ?? {}
  expect(token).toBe(callbackToken(SECRET, { ns: 'default', run: 'r1', startedAtMs, path: 'print', attempt: 1 }))
  expect(waiting).toMatchObject({
    kind: 'tool',
    why: `waits for a callback since ${new Date(sinceMs).toISOString()}, until ${new Date(untilMs).toISOString()}`,
    attempts: [{ attempt: 1, status: 'running', worker: 'w_1' }],
  })
  expect(await view()).toMatchObject({ status: 'waiting', why: `print: ${waiting.why}` })
  // nothing is out: a lost worker costs nothing
  expect(await world.store.out('default', 'r1')).toEqual(new Map())

  await answer(token, { status: 'completed', output: { value: { job: 7 } } })
  const done = await stepIs('print', 'completed')
  expect(done).toMatchObject({ output: { job: 7 }, why: null })
  expect(done.callback).toBeUndefined()
  const handed = await stepIs('sign', 'waiting')
  await answer(handed.callback?.token ?? '', { status: 'completed', output: { value: null } })
  await stepIs('sign', 'completed')
  expect(JSON.stringify(await world.store.journal('default', 'r1', 1, 100))).not.toContain('cb_')
})

it('costs a run that waits for none nothing', async () => {
  await world.startEngine()
  await world.submit({ name: 'plain', steps: { a: { signal: 'go' } } }, 'r1')
  await stepIs('a', 'waiting')
  expect(asked).toBe(0)
})

it('is waited for by the next engine as by the one before', async () => {
  const first = await world.startEngine('e_first')
  await world.submit(definition, 'r1')
  const { callback } = await stepIs('print', 'waiting')
  await first.stop()
  await world.startEngine('e_second')
  expect((await stepIs('print', 'waiting')).callback).toEqual(callback)
  await answer(callback?.token ?? '', { status: 'alive' })
  await answer(callback?.token ?? '', { status: 'failed', code: 'bad_request', message: 'no such paper' })
  expect(await stepIs('print', 'escalated')).toMatchObject({ failure: { message: 'no such paper' } })
})
