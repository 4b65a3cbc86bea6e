import { describe, expect, test } from 'vitest'
import { Rejection } from '../problems.ts'
import { findSyntaxError } from './json-place.ts'
import { parseJson, parseYaml } from './parse.ts'

const json = (text: string) => parseJson(Buffer.from(text))
const yaml = (text: string) => parseYaml(Buffer.from(text))

describe('JSON', () => {
  test('passes as it is', () => {
    const value = {
      a: [1, -2.5e-3, true, null, '😀 \u0000 \\u0041'],
      b: {},
      c: [[]],
      [`with "quotes"`]: 9_007_199_254_740_991,
    }
    expect(json(JSON.stringify(value, null, 2))).toEqual(value)
    expect(json('')).toBeUndefined()
  })

  test('may be 100 levels deep, and no deeper, whatever its strings hold', () => {
    expect(json('['.repeat(100) + ']'.repeat(100))).toBeInstanceOf(Array)
    expect(() => json('['.repeat(101) + ']'.repeat(101))).toThrow(Rejection)
    expect(json(JSON.stringify(['[[{'.repeat(100), '\\"{{'.repeat(100)]))).toBeInstanceOf(Array)
  })
})

describe('the place of a syntax error', () => {
  test.each([
    ['{"a": }', 6],
    ['{"a":1,}', 7],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['{"a" 1}', 5],
    ['{a:1}', 1],
    ["{'a':1}", 1],
    ['[01]', 2],
    ['nul', 0],
    ['[1]]', 3],
    ['{"a":"x\ny"}', 5],
    ['{"a":"\\x"}', 5],
    ['[1}', 2],
    ['{"a":1', 6],
    ['1 2', 2],
    ['{"a":1 "b":2}', 7],
    ['', 0],
  ])('of %j is %i', (text, at) => {
    expect(() => JSON.parse(text)).toThrow()
    expect(findSyntaxError(text)).toBe(at)
  })

  test('is the end of a text that has none', () => {
    for (const text of ['[]', '{}', '{"a":[1,{"b":"\\u00e9"}],"c":-1.5e+3}', ' "x" ', 'null', '[[],[[]]]', '"\x7f"']) {
      expect(() => JSON.parse(text)).not.toThrow()
      expect(findSyntaxError(text)).toBe(text.length)
    }
  })
})

describe('YAML', () => {
  test('gives plain JSON values', () => {
    const text =
      'a: &x {b: 1, "c d": [yes, 2.5, null, ~, true]}\ne: *x\nf: |\n  text\n  [[[[\n1: one\n2024-01-01: day\n<<: merge\n'
    const x = { b: 1, 'c d': ['yes', 2.5, null, null, true] }
    expect(yaml(text)).toEqual({ a: x, e: x, f: 'text\n[[[[\n', 1: 'one', '2024-01-01': 'day', '<<': 'merge' })
    expect(yaml('{"json": [1, "too"]}')).toEqual({ json: [1, 'too'] })
    expect(yaml('')).toBeUndefined()
  })

  test('finds a key that is there twice, at any depth', () => {
    expect(() => yaml('a:\n  b: 1\n  c: 2\n  b: 3\n')).toThrow('the key "b" is there twice (line 4, column 3)')
    expect(() => yaml('a: 1\n"a": 2')).toThrow('twice')
  })

  test('takes many keys (the usual check for repeats is quadratic: 30,000 keys took 11 s)', () => {
    const value = yaml(Array.from({ length: 30_000 }, (_, i) => `k${i}: 1`).join('\n'))
    expect(Object.keys(value ?? {})).toHaveLength(30_000)
  })

  test.each([
    ['brackets', '['.repeat(3_000)],
    ['braces', '{a: '.repeat(3_000)],
    ['dashes', `${'- '.repeat(3_000)}a`],
    ['dashes after a key', `a: ${'- '.repeat(3_000)}a`],
    ['dashes with anchors', `${'- &a '.repeat(3_000)}a`],
    ['question marks', `${'? '.repeat(3_000)}a`],
    ['indentation', Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ])('of thousands of %s is refused before it is parsed', (_, text) => {
    expect(() => yaml(text)).toThrow('nested deeper than 100 levels')
  })

  test('as deep as the lexer lets it is parsed without harm', () => {
    const nested = Array.from({ length: 95 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')
    expect(yaml(`${nested} 1`)).toBeInstanceOf(Object)
    expect(() => yaml(`${'- '.repeat(120)}a`)).toThrow('nested deeper than 100 levels')
  })
})
