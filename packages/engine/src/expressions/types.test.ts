// Types: definite mistakes are found, and nothing else.
import { describe, expect, it } from 'vitest'
import { BUILTINS } from './functions.ts'
import { SIGNATURES } from './signatures.ts'
import { checkTypes, type Kind } from './types.ts'

const SCHEMAS: Record<string, object> = {
  'input.topic': { type: 'string' },
  'input.count': { type: 'integer' },
  'input.list': { type: 'array' },
  'input.map': { type: 'object' },
  'input.flag': { type: 'boolean' },
  'input.maybe': { type: ['string', 'null'] },
  'input.either': { oneOf: [{ type: 'string' }, { type: 'number' }] },
}
const check = (code: string, wanted?: Kind): string[] =>
  checkTypes(code, { schemaOf: (path) => JSON.parse(JSON.stringify(SCHEMAS[path.join('.')] ?? null)) }, wanted)

describe('checkTypes', () => {
  it.each<[string, string]>([
    ['input.topic > 3', '`input.topic > 3` compares text with a number'],
    ['input.topic + input.count', 'adds text and a number; string(…) makes text of a number'],
    ['input.flag + 1', '`+` takes a number or text or a list; `input.flag` is true or false'],
    ['input.topic * 2', '`*` takes a number; `input.topic` is text'],
    ['size(input.count)', 'size() takes text or a list or a map; `input.count` is a number'],
    ['input.list.join(1)', 'join() takes text; `1` is a number'],
    ['lower(input.list)', 'lower() takes text; `input.list` is a list'],
    ['input.topic.map(x, x)', 'map() takes a list or a map; `input.topic` is text'],
    ['input.list.filter(x, "a")', 'the condition of filter() takes true or false; `"a"` is text'],
    ['input.topic ? 1 : 2', 'a condition takes true or false; `input.topic` is text'],
    ['!input.count', '`!` takes true or false; `input.count` is a number'],
    ['-input.topic', '`-` takes a number; `input.topic` is text'],
    ['input.flag && input.topic', '`&&` takes true or false; `input.topic` is text'],
    ['1 in input.topic', '`in` takes a list or a map; `input.topic` is text'],
    ['size(input.list) == 1 ? lower(1) : ""', 'lower() takes text; `1` is a number'],
  ])('%s: %s', (code, message) => {
    expect(check(code).join('; ')).toContain(message)
  })

  it.each([
    'input.topic + "x"',
    'input.count + 1.5 > 2',
    'input.maybe + 1',
    'input.either > 3',
    'input.unknown.deep + 1 < "a".size()',
    'input.list.map(x, x + 1).filter(y, y)',
    'input.list.map(x, x > 1, x).join()',
    'null == input.count || input.topic == 3',
    'input.map.map(key, input.map[key] * 2)',
    'coalesce(input.topic, 1) + 1',
    'input.list[0] + 1',
    'has(input.topic) ? input.topic : null',
    'min(1, 2) + max([1])',
    'this cannot be read',
  ])('%s is nothing to complain of', (code) => {
    expect(check(code)).toEqual([])
  })

  it('asks for what a place takes', () => {
    expect(check('input.topic', 'boolean')).toEqual(['this place takes true or false; `input.topic` is text'])
    expect(check('input.topic.split(",")', 'list')).toEqual([])
    expect(check('size(input.topic) > 1', 'list')).toEqual([
      'this place takes a list; `size(input.topic) > 1` is true or false',
    ])
  })

  it('knows every function', () => {
    expect([...SIGNATURES.keys()].sort()).toEqual([...BUILTINS.keys()].sort())
  })
})
