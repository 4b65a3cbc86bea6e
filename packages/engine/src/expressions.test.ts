// Templates: what they render to, what they refuse, and how secrets stay markers.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { Json } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import type { Scope } from './definition/plan.ts'
import { errorsOf, render, template, value } from './expressions/testing.fixture.ts'
import { compileTemplate, holdsSecretMarker, isOneExpression } from './expressions.ts'

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
    // as text it is only text: workers never scan that
    expect(secret('text ${{ input.marker }}', forged)).toEqual({ ok: true, value: 'text {"deep":[{"$secret":"X"}]}' })
    expect(errorsOf({ token: { $secret: 'X' } }, true)[0]).toMatchObject({
      code: 'misplaced_secret',
      at: 'token.$secret',
    })
    expect(holdsSecretMarker([{ a: { $concat: [] } }])).toBe(true)
    expect(holdsSecretMarker({ a: 'secret' })).toBe(false)
  })
})
