// Templates: what they render to, what they refuse, and what they cost.
import type { Json } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { compileTemplate, holdsSecretMarker, isOneExpression } from './expressions.ts'
import type { Scope, Template } from './plan.ts'

const template = (source: Json, options = { secrets: false }): Template => {
  const compiled = compileTemplate(source, options)
  if (!compiled.ok) throw new Error(compiled.errors.map((error) => `${error.at}: ${error.message}`).join('; '))
  return compiled.template
}
const errorsOf = (source: Json, secrets = false) => {
  const compiled = compileTemplate(source, { secrets })
  return compiled.ok ? [] : compiled.errors
}
const render = (source: Json, scope: Scope = {}) => template(source).render(scope)
/** The value of one expression. */
const value = (code: string, scope: Scope = {}): Json => {
  const rendered = render(`\${{ ${code} }}`, scope)
  if (!rendered.ok) throw new Error(rendered.message)
  return rendered.value
}
/** Why an expression fails: at compile time or when it is rendered. */
const failure = (code: string, scope: Scope = {}): string => {
  const compiled = compileTemplate(`\${{ ${code} }}`, { secrets: false })
  if (!compiled.ok) return compiled.errors.map((error) => error.message).join('; ')
  const rendered = compiled.template.render(scope)
  return rendered.ok ? `no failure: ${JSON.stringify(rendered.value)}` : rendered.message
}

describe('templates', () => {
  it('keep a constant as it is, the very same value', () => {
    const source = { url: 'https://x.example', list: [1, { deep: null }] }
    const constant = template(source)
    expect(constant.constant).toBe(true)
    const rendered = constant.render({})
    expect(rendered.ok && rendered.value).toBe(source)
  })

  it('keep the type of a string that is one expression, join everything else as text', () => {
    const scope = { input: { n: 2, list: [1, 'a'], none: null, text: 'x', map: { k: 1 } } }
    expect(value('input.list', scope)).toEqual([1, 'a'])
    expect(
      render('n=${{ input.n }} l=${{ input.list }} z=${{ input.none }}. ${{ input.text }}${{ input.map }}', scope),
    ).toEqual({
      ok: true,
      value: 'n=2 l=[1,"a"] z=. x{"k":1}',
    })
    expect(render(' ${{ input.n }}', scope)).toEqual({ ok: true, value: ' 2' })
  })

  it('render to text where only text makes sense', () => {
    const compiled = compileTemplate('${{ input.n }}', { secrets: false, text: true })
    expect(compiled.ok && compiled.template.render({ input: { n: 2 } })).toEqual({ ok: true, value: '2' })
  })

  it('render inside lists and maps and leave constant parts alone', () => {
    const constantPart = { a: [1] }
    const made = render({ q: '${{ input.q }}', k: constantPart, l: ['${{ 1 + 1 }}', true] }, { input: { q: 'x' } })
    expect(made).toEqual({ ok: true, value: { q: 'x', k: { a: [1] }, l: [2, true] } })
    expect(made.ok && made.value !== null && typeof made.value === 'object' && 'k' in made.value && made.value.k).toBe(
      constantPart,
    )
  })

  it('find the end of an expression behind braces and strings', () => {
    expect(value("{'a': {'b': 1}}")).toEqual({ a: { b: 1 } })
    expect(render("a ${{ '}}' }} b ${{ '${{' }}")).toEqual({ ok: true, value: 'a }} b ${{' })
    expect(value(`r'\\d' + "it's"`)).toBe("\\dit's")
    expect(value(`'\\'}}' + '''a'b'''`)).toBe("'}}a'b")
    expect(isOneExpression("${{ {'a': {}}}}")).toBe(true)
    expect(isOneExpression('${{ a }} ${{ b }}')).toBe(false)
  })

  it('say which steps and names they use, each once', () => {
    const { mentions, names } = template({
      a: '${{ steps.one.output.text }} ${{ steps["two"].status }}',
      b: '${{ steps.one.output.list.map(x, x + item + input.y[index]) }}',
      c: '${{ has(steps.three.error.code) ? run.id : env.HOME }}',
    })
    expect(mentions).toEqual([
      { step: 'one', field: 'output' },
      { step: 'two', field: 'status' },
      { step: 'three', field: 'error' },
    ])
    expect([...names].sort()).toEqual(['env', 'index', 'input', 'item', 'run'])
  })

  it('report every error with its place', () => {
    expect(errorsOf({ a: ['${{ 1 + }}', '${{ foo( }}'], b: { c: '${{ ' } }).map((error) => error.at)).toEqual([
      'a.0',
      'a.1',
      'b.c',
    ])
  })

  it('name the place and the expression when rendering fails', () => {
    const rendered = render({ body: ['x ${{ input.nmae }}'] }, { input: { name: 1 } })
    expect(rendered).toEqual({
      ok: false,
      message: 'body.0: `${{ input.nmae }}`: `input` has no `nmae`; did you mean `name`?',
    })
  })
})

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
    ['timestamp("2026-01-01T00:00:00Z")', 'there is no function timestamp()'],
    ['duration("1s")', 'there is no function duration()'],
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
  it('stops what costs too much, at once', () => {
    const started = Date.now()
    expect(failure('input.list.map(a, input.list.map(b, a * b))', big)).toContain('100000 operations')
    expect(failure('input.list.exists(a, input.list.exists(b, a + b < 0))', big)).toContain('100000 operations')
    expect(failure('input.list.all(a, input.list == input.list.map(x, x)) || true', big)).toContain('100000 operations')
    expect(failure('input.list.map(a, input.text + "y")', big)).toContain('operations')
    expect(failure('input.list.map(a, json(input.text))', big)).toContain('operations')
    expect(failure('input.text.replace("x", input.text)', big)).toContain('16 MiB')
    expect(Date.now() - started).toBeLessThan(2_000)
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
    expect(failure('1+'.repeat(2_400) + '1')).toContain('cannot be read')
    expect(failure('1'.repeat(6_000))).toContain('over 5000 characters')
    expect(value('1+'.repeat(900) + '1')).toBe(901)
  })

  it('survives data nested deeper than the stack', () => {
    let deep: Json = 1
    for (let i = 0; i < 50_000; i += 1) deep = [deep]
    expect(failure('input == [input]', { input: deep })).toMatch(/nested too deeply|operations/)
    expect(render('a ${{ input }}', { input: deep })).toMatchObject({ ok: false })
  })

  it('renders a path in a few microseconds', () => {
    const path = template('${{ steps.report.output.text }}')
    const scope: Scope = { steps: { report: { output: { text: 'x' } } } }
    const started = Date.now()
    let ok = 0
    for (let i = 0; i < 100_000; i += 1) if (path.render(scope).ok) ok += 1
    expect(ok).toBe(100_000)
    // 100,000 at 10 µs are one second
    expect(Date.now() - started).toBeLessThan(1_000)
  })
})

describe('secrets', () => {
  const secret = (source: Json, scope: Scope = {}) => template(source, { secrets: true }).render(scope)

  it('render to markers', () => {
    expect(secret({ a: '${{ secrets.X }}' })).toEqual({ ok: true, value: { a: { $secret: 'X' } } })
    expect(secret('Bearer ${{ secrets.X }}')).toEqual({ ok: true, value: { $concat: ['Bearer ', { $secret: 'X' }] } })
    expect(secret('${{ input.u }}:${{ secrets["P"] }}@${{ input.n }}.', { input: { u: 'me', n: 1 } })).toEqual({
      ok: true,
      value: { $concat: ['me:', { $secret: 'P' }, '@1.'] },
    })
    expect(template('${{ secrets.X }}', { secrets: true }).names).toEqual(['secrets'])
  })

  it.each([
    '${{ secrets.X + "a" }}',
    '${{ size(secrets.X) }}',
    '${{ [secrets.X] }}',
    '${{ secrets }}',
    '${{ secrets.X.y }}',
    '${{ input.a == secrets.X }}',
  ])('cannot be worked with: %s', (source) => {
    expect(errorsOf(source, true)[0]).toMatchObject({ code: 'misplaced_secret' })
  })

  it('are refused elsewhere', () => {
    expect(errorsOf('${{ secrets.X }}')[0]).toMatchObject({ code: 'misplaced_secret' })
    expect(errorsOf('a ${{ secrets.X }}')[0]).toMatchObject({ code: 'misplaced_secret' })
  })

  it('cannot be named by data or by hand', () => {
    const forged = { input: { text: '${{ secrets.X }}', marker: { deep: [{ $secret: 'X' }] } } }
    expect(secret('${{ input.text }}', forged)).toEqual({ ok: true, value: '${{ secrets.X }}' })
    expect(secret({ body: '${{ input.marker }}' }, forged)).toMatchObject({
      ok: false,
      message: expect.stringContaining('$secret'),
    })
    expect(secret("${{ {'$con' + 'cat': ['a']} }}", forged)).toMatchObject({ ok: false })
    expect(secret('text ${{ input.marker }}', forged)).toMatchObject({ ok: false })
    expect(errorsOf({ token: { $secret: 'X' } }, true)[0]).toMatchObject({
      code: 'misplaced_secret',
      at: 'token.$secret',
    })
    expect(holdsSecretMarker([{ a: { $concat: [] } }])).toBe(true)
    expect(holdsSecretMarker({ a: 'secret' })).toBe(false)
  })
})
