// Made-up values fit the schemas they are made for.
import type { Json } from '@stepfleet/contracts'
import { createSchemaChecks, type JsonSchema } from '@stepfleet/schemas'
import { expect, test } from 'vitest'
import { invent } from './invent.ts'

const TREE = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string' }, left: { $ref: '#' }, all: { type: 'array', items: { $ref: '#' } } },
}

const SCHEMAS: [name: string, schema: JsonSchema, value: Json][] = [
  ['text', { type: 'string' }, 'some text'],
  ['short text', { type: 'string', maxLength: 4 }, 'some'],
  ['long text', { type: 'string', minLength: 12 }, 'some textxxx'],
  ['a date', { type: 'string', format: 'date' }, '2026-01-01'],
  ['an address', { type: 'string', format: 'email' }, 'someone@example.com'],
  ['a pattern', { type: 'string', pattern: '^[A-Z]{3}-\\d+$' }, 'ABC-123'],
  ['a number', { type: 'number' }, 0],
  ['at least', { type: 'integer', minimum: 3 }, 3],
  ['more than', { type: 'integer', exclusiveMinimum: 3 }, 4],
  ['at most', { type: 'number', maximum: -2 }, -2],
  ['between', { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }, 0.5],
  ['less than', { type: 'number', exclusiveMaximum: 0 }, -1],
  ['steps', { type: 'integer', minimum: 7, multipleOf: 5 }, 10],
  ['one of', { enum: ['low', 'high'] }, 'low'],
  ['just one', { const: { a: 1 } }, { a: 1 }],
  ['yes or no', { type: 'boolean' }, false],
  ['or nothing', { type: ['string', 'null'] }, 'some text'],
  ['nothing', { type: 'null' }, null],
  ['a list', { type: 'array', items: { type: 'integer' } }, [0]],
  [
    'three of them',
    { type: 'array', items: { type: 'string' }, minItems: 3, uniqueItems: true },
    ['some item', 'some item 2', 'some item 3'],
  ],
  ['an empty list', { type: 'array', items: { type: 'string' }, maxItems: 0 }, []],
  ['a pair', { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false }, ['some item', 0]],
  [
    'an object',
    { type: 'object', required: ['a'], properties: { a: { type: 'integer' }, b: { type: 'string' } } },
    { a: 0, b: 'some b' },
  ],
  ['free keys', { type: 'object', required: ['x'], additionalProperties: { type: 'integer' } }, { x: 0 }],
  ['any of', { anyOf: [{ type: 'integer' }, { type: 'string' }] }, 0],
  ['all of', { allOf: [{ type: 'object', required: ['a'] }, { properties: { a: { type: 'integer' } } }] }, { a: 0 }],
  ['a definition', { $ref: '#/$defs/id', $defs: { id: { type: 'string', minLength: 1 } } }, 'some text'],
  ['a tree', TREE, { name: 'some name', left: { name: 'some name', all: [] }, all: [{ name: 'some name', all: [] }] }],
  ['anything', {}, 'some text'],
]

test.each(SCHEMAS)('%s', (_, schema, value) => {
  expect(invent(schema)).toEqual(value)
  expect(createSchemaChecks().check(schema, invent(schema), '')).toEqual([])
})
