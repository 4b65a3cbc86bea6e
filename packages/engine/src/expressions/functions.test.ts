// The function library.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { Json } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { errorsOf, failure, value } from './testing.fixture.ts'

describe('functions', () => {
  it.each<[string, Json]>([
    ['size("häß😀")', 4],
    ['[1, 2].size()', 2],
    ['size({"a": 1})', 1],
    ['"abc".contains("b")', true],
    ['[1, 2].contains(2.0)', true],
    ['"abc".startsWith("ab") && "abc".endsWith("bc")', true],
    ['string(1.5) + string(true) + string([1]) + string(null)', '1.5true[1]'],
    ['int("42") + int(2.9) + int(-2.9)', 42],
    ['double("1.5e1")', 15],
    ['bool("true")', true],
    ['["a", 1, null, {"b": 2}].join(", ")', 'a, 1, , {"b":2}'],
    ['["a", "b"].join()', 'ab'],
    ['"a,b".split(",")', ['a', 'b']],
    ['"AbC".lower() + "AbC".upper() + "  x ".trim()', 'abcABCx'],
    ['"a-b-c".replace("-", "+")', 'a+b+c'],
    ['[1, 2].first() + [1, 2].last()', 3],
    ['[].first()', null],
    ['[[1], 2, [[3]]].flatten()', [1, 2, [3]]],
    ['[1, 1.0, "1", {"a": 1, "b": 2}, {"b": 2, "a": 1}].distinct()', [1, '1', { a: 1, b: 2 }]],
    ['["b", "a"].sort()', ['a', 'b']],
    ['{"a": 1, "b": 2}.keys() + [string({"a": 1}.values())]', ['a', 'b', '[1]']],
    ['json({"a": [null]}) + json("x") + json(null) + json(0)', '{"a":[null]}"x"null0'],
    ['parseJson("{\\"a\\": [1]}").a[0]', 1],
    ['"abcd".slice(1, 3) + string([1, 2, 3].slice(-1))', 'bc[3]'],
    ['sum([1, 2.5]) + min(3, 1) + max([1, 9])', 13.5],
    ['abs(-1) + round(1.5) + floor(1.9) + ceil(0.1)', 5],
    ['sum([])', 0],
    ['"abcd".substring(1, 3) + "abcd".substring(-1)', 'bcd'],
    ['[1, 2].reverse() + [3]', [2, 1, 3]],
    ['"häß".reverse()', 'ßäh'],
    ['merge({"a": 1, "b": 1}, null, {"b": 2})', { a: 1, b: 2 }],
    ['timestamp("1970-01-01T01:00:00+01:00")', 0],
    ['formatTime(timestamp("2030-01-31T12:00:00Z") + duration("90m"))', '2030-01-31T13:30:00.000Z'],
    ['sha256("abc").substring(0, 8)', 'ba7816bf'],
    ['urlEncode("a b&c/ä😀(1)")', 'a%20b%26c%2F%C3%A4%F0%9F%98%80%281%29'],
  ])('%s is %j', (code, expected) => {
    expect(value(code)).toEqual(expected)
  })

  it.each([
    ['int("4.5")', 'cannot read this text'],
    ['int("99999999999999999999")', 'beyond 2^53'],
    ['double(" 1")', 'cannot read this text'],
    ['[1, "a"].sort()', 'cannot be compared'],
    ['[null].sort()', 'cannot be compared'],
    ['min([])', 'empty list'],
    ['"a".replace("", "b")', 'empty text'],
    ['parseJson("{")', 'not JSON'],
    ['join("a", ",")', 'takes a list, got text'],
    ['keys([1])', 'takes a map, got a list'],
    ['size()', 'size() is written'],
    ['lenght("a")', 'there is no function lenght()'],
    ['"a".matches("a*")', 'matches() is not offered'],
    ['timestamp("2026-01-01")', 'takes a time such as'],
    ['timestamp("2026-01-01T00:00:00")', 'takes a time such as'],
    ['duration("soon")', 'takes a duration such as 10m'],
    ['formatTime(1e300)', 'no time'],
    ['merge({"a": 1}, [1])', 'takes maps, got a list'],
    ['sha256(1)', 'sha256() takes text, got a number'],
    ['substring([1], 0)', 'takes text, got a list'],
    ['reverse(1)', 'takes text or a list'],
    ['cel.bind(x, 1, x)', 'there is no function bind()'],
    ['type(1)', 'there is no function type()'],
  ])('%s fails: %s', (code, message) => {
    expect(failure(code)).toContain(message)
  })

  it('suggests the nearest function', () => {
    expect(errorsOf('${{ input.a.exist(x, x > 1) }}')[0]).toMatchObject({ suggestion: 'exists()' })
    expect(errorsOf('${{ input.a.joined(",") }}')[0]?.message).toContain('joined()')
  })
})
