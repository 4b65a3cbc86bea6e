// What an expression can never do: reach the host, or take for ever.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { Json } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import type { Scope } from '../definition/plan.ts'
import { errorsOf, failure, render, value } from './testing.fixture.ts'

describe('escapes', () => {
  const scope: Scope = { input: { a: {}, text: 'x', list: [1] } }
  it.each([
    'input.constructor',
    'input.a.constructor.constructor',
    'input.a["__proto__"]',
    'input.a["const" + "ructor"]',
    'input.__proto__',
    'input.text.constructor',
    "''.constructor",
    '[].constructor',
    '{}.constructor',
    'input.list.length',
    'input.list["length"]',
    'input.toString',
    'input.hasOwnProperty("a")',
    'input.a.valueOf()',
    'constructor',
    'toString',
    '__proto__',
    'prototype',
    'globalThis',
    'process.env',
    'steps.constructor.output',
    'steps.__proto__.output',
    'constructor("return 1")()',
    'has(input.constructor) ? 1 : input.nothing',
    '{"__proto__": {"x": 1}}',
    '{"__pro" + "to__": {"x": 1}}',
    '{}["__proto__"]',
  ])('%s leads nowhere', (code) => {
    expect(failure(code, { steps: {}, ...scope })).not.toContain('no failure')
  })

  it('reads own keys of such names as plain data', () => {
    const data: Json = JSON.parse('{"constructor": 1, "__proto__": {"polluted": true}}')
    expect(value('input.constructor', { input: data })).toBe(1)
    expect(value('has(input.polluted)', { input: data })).toBe(false)
    expect(errorsOf(JSON.parse('{"__proto__": "${{ input.x }}"}'))[0]?.message).toContain('cannot be a key')
  })
})

describe('bounds', () => {
  const big = { input: { list: Array.from({ length: 10_000 }, (_, i) => i), text: 'x'.repeat(1_000_000) } }
  it('stops what costs too much: by its operations, long before the test’s own time is over', () => {
    expect(failure('input.list.map(a, input.list.map(b, a * b))', big)).toContain('100000 operations')
    expect(failure('input.list.exists(a, input.list.exists(b, a + b < 0))', big)).toContain('100000 operations')
    expect(failure('input.list.all(a, input.list == input.list.map(x, x)) || true', big)).toContain('100000 operations')
    expect(failure('input.list.map(a, input.text + "y")', big)).toContain('operations')
    expect(failure('input.list.map(a, json(input.text))', big)).toContain('operations')
    expect(failure('input.text.replace("x", input.text)', big)).toContain('16 MiB')
    expect(failure('sha256(input.text)', big)).toContain('operations')
    expect(failure('input.list.map(a, sha256("x" + string(a) + input.text.substring(0, 1000)))', big)).toContain(
      'operations',
    )
    expect(failure('input.list.map(a, urlEncode(input.text))', big)).toContain('operations')
    expect(failure('input.list.map(a, input.list.reverse())', big)).toContain('operations')
  })

  it('allows one pass over the longest list', () => {
    expect(value('size(input.list.filter(x, x % 2 == 0))', big)).toBe(5_000)
  })

  it('refuses a value that repeats a big part over the payload limit', () => {
    expect(failure('[1, 2, 3].map(x, [1, 2, 3, 4, 5, 6].map(y, input.text))', big)).toContain('over 16 MiB')
    expect(failure('input.list.map(x, input.list)', big)).toContain('operations')
  })

  it('refuses what is too long, too deep or too wide to read', () => {
    expect(failure('!'.repeat(4_990))).toMatch(/nested too deeply|something is missing/)
    expect(failure(`${'('.repeat(200)}1${')'.repeat(200)}`)).toContain('cannot be read')
    expect(failure(`[${'1,'.repeat(1_500)}1]`)).toContain('cannot be read')
    expect(failure(`${'1+'.repeat(2_400)}1`)).toContain('cannot be read')
    expect(failure('1'.repeat(6_000))).toContain('over 5000 characters')
    expect(value(`${'1+'.repeat(900)}1`)).toBe(901)
  })

  it('survives data nested deeper than the stack', () => {
    let deep: Json = 1
    for (let i = 0; i < 50_000; i += 1) deep = [deep]
    expect(failure('input == [input]', { input: deep })).toMatch(/nested too deeply|operations/)
    expect(render('a ${{ input }}', { input: deep })).toMatchObject({ ok: false })
  })
})
