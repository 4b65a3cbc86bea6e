// The checker catches what it is for: each rule against a history that breaks it, beside one that breaks none.
import { describe, expect, it } from 'vitest'
import type { JournalEvent } from './api.ts'
import { checkEffects, checkJournal, checkPaidOnce } from './checker.ts'
import type { EffectLine, ModelLine } from './ledgers.ts'

const journal = (...events: Partial<JournalEvent>[]): JournalEvent[] =>
  events.map((event, index) => ({ seq: index + 1, atMs: 100 + index, type: 'run.started', ...event }))

const started = { type: 'run.started' }
const dispatched = { type: 'step.dispatched', path: 'a', attempt: 1, delivery: 1 }
const completed = { type: 'step.completed', path: 'a' }
const ended = { type: 'run.completed' }
const whole = journal(started, dispatched, completed, ended, { type: 'cost.noted', path: 'a' })

const rulesOf = (events: JournalEvent[]): string[] => checkJournal('r', events).map(({ rule }) => rule)

const call = (more: Partial<ModelLine>): ModelLine => ({
  n: 1,
  atMs: 0,
  key: 'k',
  turn: 1,
  outcome: 'answered',
  ...more,
})
const effect: EffectLine = { atMs: 0, tool: 'pay', phase: 'begun', key: 'k', attempt: 1, pid: 1, input: {} }

describe('the checker', () => {
  it('finds nothing in a history that is right', () => {
    expect(rulesOf(whole)).toEqual([])
  })

  it.each([
    ['sequence', journal(started, { ...dispatched, seq: 3 }, completed, ended)],
    ['time', journal(started, { ...dispatched, atMs: 5 }, completed, ended)],
    ['started once', journal(started, started, ended)],
    ['nothing after the end', journal(started, ended, dispatched)],
    ['no skip back', journal(started, completed, dispatched, ended)],
    ['deliveries grow', journal(started, dispatched, dispatched, completed, ended)],
    ['ends once', journal(started, dispatched, completed, completed, ended)],
    ['no loss', journal(started, dispatched, completed)],
  ])('catches: %s', (rule, events) => {
    expect(rulesOf(events)).toContain(rule)
  })

  it('catches a second payment, and allows one per crash', () => {
    const twice = [call({}), call({ n: 2 })]
    expect(checkPaidOnce(twice).map(({ rule }) => rule)).toEqual(['paid once'])
    expect(checkPaidOnce(twice, new Map([['k', 1]]))).toEqual([])
  })

  it('catches a second execution', () => {
    expect(checkEffects([effect, effect])).toHaveLength(1)
    expect(checkEffects([effect, { ...effect, phase: 'done' }])).toEqual([])
  })
})
