// Which rule speaks to which call, and how often.
import { describe, expect, it } from 'vitest'
import { ZodError } from 'zod'
import { fits, type Matchable, type Rule, Rules } from './rules.ts'

const call = (more: Partial<Matchable> = {}): Matchable => ({
  key: 'default/r1/ask',
  run: 'r1',
  step: 'ask',
  protocol: 'openai',
  model: 'gpt-4.1',
  turn: 1,
  ...more,
})
const rulesOf = (...list: Rule[]): Rules => {
  const rules = new Rules()
  for (const rule of list) rules.set(rule)
  return rules
}
const said = (rules: Rules, times: number, more?: Partial<Matchable>): (string | undefined)[] =>
  Array.from({ length: times }, () => rules.take('model', call(more))?.directives)

describe('a rule', () => {
  const play = [{ do: 'fail=529', times: 2 }, { do: '' }, { do: 'drop' }]

  it('answers call by call, and is over then', () => {
    expect(said(rulesOf({ id: 'a', play }), 5)).toEqual(['fail=529', 'fail=529', '', 'drop', undefined])
  })

  it('goes on with what comes later', () => {
    expect(said(rulesOf({ id: 'a', play: [{ do: 'drop' }], later: 'hang' }), 3)).toEqual(['drop', 'hang', 'hang'])
  })

  it.each<[NonNullable<Rule['per']>, Partial<Matchable>, boolean]>([
    ['key', { key: 'default/r1/b' }, true],
    ['step', { step: 'b' }, true],
    ['step', { key: 'default/r2/ask', run: 'r2' }, false],
    ['run', { run: 'r2' }, true],
    ['model', { model: 'other' }, true],
    ['rule', { model: 'other', key: 'b', step: 'b', run: 'b' }, false],
  ])('counts per %s: %j is counted anew: %s', (per, other, anew) => {
    const rules = rulesOf({ id: 'a', per, play: [{ do: 'drop' }] })
    expect(said(rules, 1)).toEqual(['drop'])
    expect(said(rules, 1, other)).toEqual([anew ? 'drop' : undefined])
  })

  it.each<[Rule['match'], boolean]>([
    [{ model: 'gpt-*' }, true],
    [{ model: 'gpt' }, false],
    [{ protocol: 'gemini' }, false],
    [{ step: 'ask', turn: 1 }, true],
    [{ turn: 2 }, false],
    [{ key: '*/r1/*' }, true],
    [{ run: 'r2' }, false],
  ])('matches %j: %s', (match, does) => {
    expect(said(rulesOf({ id: 'a', match, later: 'drop' }), 1)).toEqual([does ? 'drop' : undefined])
  })

  it('leaves a call to the next when it is over', () => {
    const rules = rulesOf({ id: 'a', play: [{ do: 'drop' }] }, { id: 'b', later: 'hang' })
    expect(said(rules, 2)).toEqual(['drop', 'hang'])
  })

  it('is for the calls of one kind', () => {
    const rules = rulesOf({ id: 'a', on: 'effect', later: 'drop=after' })
    expect(rules.take('model', call())).toBeNull()
    expect(rules.take('effect', call())?.directives).toBe('drop=after')
  })

  it('counts on from what is restored, and begins anew when it was deleted', () => {
    const rules = rulesOf()
    rules.restore('a', 'key:default/r1/ask')
    rules.set({ id: 'a', play: [{ do: 'drop', times: 2 }] })
    expect(said(rules, 2)).toEqual(['drop', undefined])
    expect(rules.delete('a')).toBe(true)
    expect(rules.delete('a')).toBe(false)
    rules.set({ id: 'a', play: [{ do: 'drop' }] })
    expect(said(rules, 1)).toEqual(['drop'])
  })

  it.each<[string, object]>([
    ['a directive with a typo', { play: [{ do: 'fial=1' }] }],
    ['a directive of the other kind', { later: 'idempotent' }],
    ['a field with a typo', { matches: {} }],
    ['a field that calls of models have not', { match: { path: '/effects/x' } }],
    ['a field that effects have not', { on: 'effect', match: { model: 'x' } }],
    ['a scope that effects have not', { on: 'effect', per: 'model' }],
  ])('with %s is none', (_name, more) => {
    expect(() => new Rules().set({ id: 'a', ...more })).toThrow(ZodError)
  })
})

it.each<[string, string, boolean]>([
  ['a.c', 'abc', false],
  ['*', '', true],
  ['a*c', 'a/b/c', true],
  ['a*', 'ba', false],
])('%s fits %s: %s', (pattern, text, does) => {
  expect(fits(pattern, text)).toBe(does)
})
