// Expressions: numbers, members, logic, and how a wrong one is explained.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { Json } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import type { Scope } from '../definition/plan.ts'
import { errorsOf, failure, value } from './testing.fixture.ts'

describe('numbers', () => {
  const scope = { input: { five: 5, two: 2, half: 0.5, zero: 0, list: ['a', 'b'], one: 1 } }
  const table: [string, Json][] = [
    ['input.five + 1', 6],
    ['1 + input.half', 1.5],
    ['input.five - 1.0', 4],
    ['2 * input.half', 1],
    ['input.five / 2', 2.5],
    ['5 / 2', 2.5],
    ['4 / 2', 2],
    ['int(5 / 2)', 2],
    ['input.five % 2', 1],
    ['-5 % 3', -2],
    ['5.5 % 2', 1.5],
    ['input.five == 5', true],
    ['input.five == 5.0', true],
    ['1 == 1.0', true],
    ['input.five != 5', false],
    ['input.half < 1', true],
    ['1 <= input.one', true],
    ['input.two > 1.5', true],
    ['2 >= input.two', true],
    ['input.one in [1, 2]', true],
    ['1 in [input.one]', true],
    ['1.0 in [1]', true],
    ['[1, {"a": 2}] == [1.0, {"a": 2.0}]', true],
    ['input.list[1]', 'b'],
    ['input.list[1.0]', 'b'],
    ['input.list[input.one]', 'b'],
    ['input.list[input.two - 1]', 'b'],
    ['true ? 1 : input.half', 1],
    ['input.five > 4 ? input.half : 2', 0.5],
    ['-input.half', -0.5],
    ['-(0)', 0],
    ['size(input.list) + input.half', 2.5],
    ['5u + 1', 6],
    ['0x10', 16],
    ['[3, input.half, 1].sort()', [0.5, 1, 3]],
  ]
  it.each(table)('%s is %j', (code, expected) => {
    const result = value(code, scope)
    expect(result).toEqual(expected)
    expect(Object.is(result, -0)).toBe(false)
  })

  it.each([
    ['1 / input.zero', 'division by zero'],
    ['1 % 0', 'division by zero'],
    ['9007199254740993', 'beyond 2^53'],
    ['9007199254740991 + 1', 'beyond 2^53'],
    ['1e308 * 10', 'too large'],
    ['input.list[0.5]', 'no whole number'],
    ['input.list[2]', 'has 2 items: no index 2'],
    ['input.list[-1]', 'no index -1'],
    ['"a" + 1', 'text joins with text'],
    ['"a" < 1', 'text cannot be compared with a number'],
    ['null < 1', 'null cannot be compared with a number'],
    ['b"ab"', 'bytes'],
  ])('%s fails: %s', (code, message) => {
    expect(failure(code, scope)).toContain(message)
  })
})

describe('members', () => {
  const scope: Scope = {
    steps: { x: { output: null, status: 'skipped' }, y: { output: { confidence: 0.7, list: [{ a: 1 }] } } },
    input: { topic: 'x', none: null },
  }
  it.each<[string, Json]>([
    ['steps.x.output.a.b', null],
    ['steps.x.output[0].a', null],
    ['steps.x.output["k"]', null],
    ['steps.x.error.code', null],
    ['steps.x.status', 'skipped'],
    ['steps["y"].output.list[0].a', 1],
    ['has(steps.x.output)', false],
    ['has(steps.y.output)', true],
    ['has(steps.y.output.confidence)', true],
    ['has(steps.y.output.nothing)', false],
    ['has(steps.y.output.no.way.down)', false],
    ['has(steps.x.output.a)', false],
    ['has(input.none)', true],
    ['has(input.nope)', false],
    ['has(steps.y.output.list[0].a)', true],
    ['has(steps.y.output.list[3])', false],
    ['coalesce(steps.x.output.text, "nothing")', 'nothing'],
    ['steps.x.output == null', true],
  ])('%s is %j', (code, expected) => {
    expect(value(code, scope)).toEqual(expected)
  })

  it.each([
    ['steps.y.output.confidense', '`steps.y.output` has no `confidense`; did you mean `confidence`?'],
    ['steps.y.output["confidence "]', 'did you mean `confidence`?'],
    ['input.topic.a', '`input.topic` is text: it has no members'],
    ['steps.y.output.list.a', 'is a list'],
    ['steps.y.output.list["0"]', 'its index is a number'],
    ['input[1]', 'its keys are text'],
    ['steps.gone.output', 'step `gone` has not ended yet'],
    ['item', '`item` is not known here'],
    ['steps.y', 'not a value'],
    ['steps', 'named outright'],
    ['steps[input.topic].output', 'named outright'],
    ['steps.y.outputt', 'a step has output, status, error, cost'],
    ['input.none ? 1 : 2', 'must be true or false, got null'],
  ])('%s fails: %s', (code, message) => {
    expect(failure(code, scope)).toContain(message)
  })
})

describe('logic', () => {
  it.each<[string, Json]>([
    ['true || input.no.way', true],
    ['input.no.way || true', true],
    ['input.no.way && false', false],
    ['!false', true],
    ['false || false', false],
    ['true && true', true],
    ['[1, 2, 3].all(x, x > 0)', true],
    ['[1, 2, 3].exists(x, x == 2)', true],
    ['["a", 1].exists(x, x > 0)', true],
    ['[1, 2, 2].exists_one(x, x == 2)', false],
    ['[1, 2, 3].filter(x, x != 2)', [1, 3]],
    ['[1, 2, 3].map(x, x > 1, x * 10)', [20, 30]],
    ['[[1, 2], [3]].map(l, l.map(x, x + size(l)))', [[3, 4], [4]]],
    ['{"b": 1, "a": 2}.map(k, k)', ['b', 'a']],
    ['{"b": 1}.exists(k, k == "b")', true],
    ['"a" in {"a": 1}', true],
    ['"b" in {"a": 1}', false],
    ['[1, 2].map(x, x).map(y, y * 2)', [2, 4]],
  ])('%s is %j', (code, expected) => {
    expect(value(code, { input: {} })).toEqual(expected)
  })

  it.each([
    ['input.no.way || false', 'has no `no`'],
    ['1 && true', 'must be true or false, got a number'],
    ['["a"].all(x, x > 0)', 'cannot be compared'],
    ['"abc".map(x, x)', 'goes over a list'],
    ['[1].filter(x, x)', 'the condition of filter()'],
    ['[1].map(input, 1)', 'hides another name'],
    ['[1].map(x, [2].map(x, x))', 'hides another name'],
    ['1 in null', 'not into null'],
  ])('%s fails: %s', (code, message) => {
    expect(failure(code, { input: {} })).toContain(message)
  })
})

describe('reading', () => {
  it.each([
    ['a = 1', 'equality is =='],
    ['a === b', 'equality is =='],
    ['a and b', 'write &&, || and !'],
    ['a ?? b', 'coalesce'],
    ['a?.b', 'a member of null is null'],
    ['foo(1', ') is missing at its end'],
    ['"abc', 'no closing }}'],
    ['if', 'if is a reserved word'],
    ['`a`', "text stands in '…'"],
  ])('explains %s', (code, message) => {
    expect(failure(code)).toContain(message)
  })

  it('refuses an empty expression, and one in a key', () => {
    expect(errorsOf('${{ }}')[0]?.message).toContain('empty')
    expect(errorsOf({ '${{ a }}': 1 })[0]?.message).toContain('a key cannot hold an expression')
  })
})
