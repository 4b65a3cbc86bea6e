// What the desk makes of notices.
import { type CaseReason, caseSchema, failure } from '@stepfleet/contracts'
import { expect, test } from 'vitest'
import { actionsFor, type ClosedNotice, caseOf, isOfRun, type OpenedNotice } from './cases.ts'

const common = { ns: 'default', run: 'r', path: 'mail', case: 'esc_r_7' }
const opened: OpenedNotice = {
  ...common,
  type: 'opened',
  atMs: 100,
  reason: 'permanent_failure',
  workflow: 'w',
  kind: 'tool',
  failure: failure('http_error', 'no'),
  attempts: [],
  input: { to: 'x' },
}
const closed: ClosedNotice = { ...common, type: 'closed', atMs: 200, action: 'retry', by: 'ada', why: 'fixed' }
const asked = { action: 'skip', by: 'bob', reason: null, atMs: 150, command: 'c' }

test('an opened case is open, with what may be done', () => {
  const found = caseOf({ opened, closed: null, asked: null })
  expect(caseSchema.parse(found)).toEqual(found)
  expect(found).toMatchObject({ id: 'esc_r_7', status: 'open', openedAtMs: 100, closedAtMs: null, resolution: null })
  expect(found.actions).toEqual(['retry', 'skip', 'override', 'fail'])
})

test('a case that was decided is resolving until the engine closes it, whoever decided', () => {
  expect(caseOf({ opened, closed: null, asked })).toMatchObject({
    status: 'resolving',
    resolution: { action: 'skip', by: 'bob', reason: null, atMs: 150 },
    actions: ['retry', 'skip', 'override', 'fail'],
  })
  expect(caseOf({ opened, closed, asked })).toMatchObject({
    status: 'closed',
    closedAtMs: 200,
    resolution: { action: 'retry', by: 'ada', reason: 'fixed', atMs: 200 },
    actions: [],
  })
})

test('an approval carries what is shown, to whom and until when', () => {
  const approval: OpenedNotice = {
    ...opened,
    reason: 'requires_human',
    show: [1],
    assignee: 'editors',
    expiresAtMs: 900,
  }
  expect(caseOf({ opened: approval, closed: null, asked: null })).toMatchObject({
    show: [1],
    assignee: 'editors',
    expiresAtMs: 900,
    actions: ['approve', 'reject'],
  })
})

test.each<[CaseReason, string]>([
  ['requires_human', 'approve,reject'],
  ['irreversible_action', 'approve,reject'],
  ['max_retries_exceeded', 'retry,skip,override,fail'],
  ['ambiguous_state', 'retry,skip,override,fail'],
  ['poison_step', 'retry,skip,override,fail'],
])('%s takes %s', (reason, actions) => {
  expect(actionsFor(reason).join()).toBe(actions)
})

test('a case id names its run and no other', () => {
  expect([
    isOfRun('esc_r_7', 'r'),
    isOfRun('esc_r_7', 'r_7'),
    isOfRun('esc_r_7_8', 'r'),
    isOfRun('esc_r_7_8', 'r_7'),
  ]).toEqual([true, false, false, true])
})
