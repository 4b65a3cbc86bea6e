// Values that are made up fit their schema.
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../json.ts'
import { generate } from './generate.ts'

const make = (schema: JsonObject, seed = 7) => generate(schema, { seed, topic: 'tea' })

describe('generate', () => {
  it.each<[string, JsonObject, unknown]>([
    ['const', { const: 'x' }, 'x'],
    ['enum', { enum: ['a', 'b', 'c'] }, 'b'],
    ['default', { type: 'string', default: 'd' }, 'd'],
    ['the first of anyOf', { anyOf: [{ type: 'null' }, { type: 'string' }] }, null],
    [
      'allOf',
      { allOf: [{ type: 'object', properties: { a: { const: 1 } } }, { properties: { b: { const: 2 } } }] },
      { a: 1, b: 2 },
    ],
    ['null in a list of types', { type: ['null', 'integer'], minimum: 3 }, 3],
    ['a number between bounds', { type: 'number', minimum: 0, maximum: 1 }, 0.75],
    ['exclusive bounds', { type: 'integer', exclusiveMinimum: 4, exclusiveMaximum: 6 }, 5],
    ['multipleOf', { type: 'integer', minimum: 1, multipleOf: 5 }, 5],
    [
      'bounds moved into a description',
      { type: 'number', description: 'How sure\n\n{minimum: 0.7, maximum: 1}' },
      0.93,
    ],
    ['lengths', { type: 'string', minLength: 5, maxLength: 7 }, 'tea t'],
    ['a format', { type: 'string', format: 'email' }, 'person7@example.com'],
    ['a date', { type: 'string', format: 'date' }, '2026-11-08'],
    ['a pattern', { type: 'string', pattern: '^[A-Z]{3}-\\d+$' }, 'ABC-123'],
    ['items', { type: 'array', items: { type: 'boolean' }, minItems: 2, maxItems: 2 }, [true, true]],
    ['minItems', { type: 'array', items: { const: 0 }, minItems: 5 }, [0, 0, 0, 0, 0]],
    ['required without a property', { type: 'object', required: ['a'], additionalProperties: { const: 9 } }, { a: 9 }],
    [
      'references',
      { $defs: { n: { type: 'integer', minimum: 2, maximum: 2 } }, properties: { n: { $ref: '#/$defs/n' } } },
      { n: 2 },
    ],
  ])('meets %s', (_name, schema, expected) => {
    expect(make(schema)).toEqual(expected)
  })

  it('ends for a schema that refers to itself', () => {
    const tree: JsonObject = {
      type: 'object',
      required: ['label'],
      properties: { label: { type: 'string' }, children: { type: 'array', items: { $ref: '#' } } },
    }
    expect(make(tree)).toMatchObject({ label: 'tea: label', children: [{ label: 'tea: label' }, {}, {}] })
  })

  it('answers the same for the same seed, and tells list items apart', () => {
    const schema: JsonObject = { type: 'array', items: { type: 'string' } }
    expect(make(schema)).toEqual(make(schema))
    expect(new Set(make(schema) as string[]).size).toBe(3)
  })
})
