// Users' schemas: every place that is wrong, in words; and nothing that a schema or a value holds stops the process.
import { describe, expect, it } from 'vitest'
import { createSchemaChecks, inWords } from './schema-checks.ts'

const checks = createSchemaChecks()

describe('a value that does not fit', () => {
  it('is told every place, dotted', () => {
    const schema = {
      type: 'object',
      required: ['text', 'items'],
      additionalProperties: false,
      properties: {
        text: { type: 'string' },
        items: { type: 'array', items: { type: ['number', 'null'] } },
        kind: { enum: ['a'] },
      },
    }
    const found = checks.check(schema, { items: [1, 'x'], kind: 'b', more: 1 }, 'input')
    expect(inWords(found)).toEqual([
      'input.text: is required',
      'input.more: the schema has no such field',
      'input.items.1: must be number or null',
      'input.kind: must be one of ["a"]',
    ])
    expect(inWords(checks.check(schema, 3))).toEqual(['the value: must be object'])
    expect(checks.check(schema, { text: '', items: [] })).toEqual([])
  })

  it('has at most 50 errors, and of a large one the first', () => {
    const schema = { type: 'array', items: { type: 'string' } }
    expect(checks.check(schema, Array(1_000).fill(1))).toHaveLength(50)
    expect(checks.check(schema, Array(1_000_000).fill(1))).toEqual([
      { path: '0', code: 'wrong_type', message: 'must be string' },
    ])
  })

  it('may be no JSON', () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    for (const value of [undefined, 3n, circular, () => 1]) {
      expect(checks.check({ type: 'string' }, value)).toEqual([
        { path: '', code: 'wrong_type', message: 'must be string' },
      ])
    }
  })
})

describe('a schema', () => {
  it('is refused with the reason, if it is none', () => {
    expect(checks.compileError({ type: 'strin' })).toContain('schema is invalid')
    expect(checks.compileError({ $ref: '#/$defs/x' })).toContain("can't resolve reference")
    expect(checks.compileError({ $async: true, type: 'string' })).toBe('$async schemas are not supported')
    expect(checks.compileError({ type: 'string', 'x-mine': 1 })).toBeNull()
  })

  it('may refer to itself', () => {
    const tree = (value: string) => ({
      type: 'object',
      properties: { value: { type: value }, children: { type: 'array', items: { $ref: '#' } } },
    })
    for (const schema of [tree('string'), tree('number'), { ...tree('string'), $id: 'https://example.org/tree' }]) {
      const { type } = schema.properties.value
      const found = checks.check(schema, { children: [{ value: true }] })
      expect(inWords(found)).toEqual([`children.0.value: must be ${type}`])
    }
  })

  it('may have the $id of another one, also inside', () => {
    const of = (type: string) => ({ properties: { a: { $id: 'https://example.org/a', type } } })
    expect(checks.check(of('string'), { a: 1 })).toHaveLength(1)
    expect(checks.check(of('number'), { a: 1 })).toEqual([])
    expect(checks.check(of('string'), { a: 'x' })).toEqual([])
  })
})

describe('a pattern', () => {
  const fits = (pattern: string, text: string): boolean => checks.check({ type: 'string', pattern }, text).length === 0

  it('is matched as ECMA-262 says', () => {
    expect(fits('^[A-Z]{2}\\d+$', 'AB12')).toBe(true)
    expect(fits('b', 'abc')).toBe(true)
    expect(fits('^(?<year>\\d{4})-\\d\\d$', '2026-11')).toBe(true)
    expect(fits('^\\u00e9\\u{1F600}.$', 'é😀x')).toBe(true)
    expect(fits('^\\p{L}+$', 'Tee茶')).toBe(true)
    expect(fits('^\\\\1$', '\\1')).toBe(true)
  })

  it('takes linear time, whatever it is', () => {
    // by backtracking this is 2^50000 steps
    expect(fits('^(a+)+$', `${'a'.repeat(50_000)}!`)).toBe(false)
    expect(fits('(x+x+)+y', 'x'.repeat(50_000))).toBe(false)
  })

  it.each([
    ['(?=a)b', 'looks ahead or behind, which cannot be matched in linear time'],
    ['(?<!a)b', 'looks ahead or behind'],
    ['(a)\\1', 'refers back to a group'],
    ['(?<n>a)\\k<n>', 'refers back to a group'],
    ['a{1,5000}', 'invalid repeat count'],
    ['[[:alpha:]]', 'Lone quantifier brackets'],
    ['a**', 'Nothing to repeat'],
  ])('%s is refused', (pattern, why) => {
    expect(checks.compileError({ pattern })).toContain(why)
    expect(checks.compileError({ patternProperties: { [pattern]: {} } })).toContain(why)
  })
})
