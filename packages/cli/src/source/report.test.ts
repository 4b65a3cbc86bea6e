// Errors stand under the very key or value they are about, as a compiler would print them.
import type { ProblemError } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { widthOf } from '../view/text.ts'
import { findingJson, place, renderFinding } from './report.ts'
import { readSource } from './source.ts'

const plain = { width: 100, color: false }

const WORKFLOW = `name: report
labels:
  team.name: core
steps:
  draft:
    llm:
      modle: anthropic/claude-haiku-5-5
      prompt: |
        Write about \${{ input.topci }}
        and \${{ steps.reserch.output }} and \${{ steps.reserch.status }}
  send:
    tool: "mail"
    needs: [draft, nobody]
    with:
      a.b: "\${{ nothing }}"
      twice: "\${{ x }} \${{ x }}"
      empty:
  nested:
    steps:
      inner: { wait: 10 minutes, tool: http }
`
const source = readSource('w.yaml', WORKFLOW)

/** What is marked in the file, with its line. */
const marked = (error: Partial<ProblemError>, from = source): string => {
  const [finding] = place(from, [{ path: '', code: 'invalid_value', message: 'wrong', ...error }], [])
  const { line, column, length } = finding?.place ?? { line: 0, column: 0, length: 0 }
  return `${line}:${column} ${(from.text.split('\n')[line - 1] ?? '').slice(column - 1, column - 1 + length)}`
}

describe('the place of an error', () => {
  it.each<[string, string, Partial<ProblemError>]>([
    ['an unknown field: its key', '7:7 modle', { path: 'steps.draft.llm.modle', code: 'unknown_field' }],
    [
      'a missing field: the key that should hold it',
      '6:5 llm',
      { path: 'steps.draft.llm.model', code: 'missing_field' },
    ],
    ['a missing field of the whole: the first key', '1:1 name', { path: 'input', code: 'missing_field' }],
    ['a wrong value: the value', '12:11 "mail"', { path: 'steps.send.tool' }],
    ['an item of a list', '13:20 nobody', { path: 'steps.send.needs.1', code: 'unknown_step' }],
    ['a step without a kind: its name', '11:3 send', { path: 'steps.send', code: 'no_kind' }],
    ['a wrong map: its key', '14:5 with', { path: 'steps.send.with' }],
    ['a key with a dot', '15:12 "${{ nothing }}"', { path: 'steps.send.with.a.b' }],
    ['a label with a dot', '3:14 core', { path: 'labels.team.name' }],
    ['a key without a value: the key', '17:7 empty', { path: 'steps.send.with.empty', code: 'wrong_type' }],
    ['below a value that is text', '12:5 tool', { path: 'steps.send.tool.name', code: 'unknown_field' }],
    [
      'a step in a block, in braces',
      '20:22 10 minutes',
      { path: 'steps.nested.steps.inner.wait', code: 'invalid_duration' },
    ],
    ['a modifier: its key', '20:34 tool', { path: 'steps.nested.steps.inner.tool', code: 'misplaced_modifier' }],
    ['what nothing is known of', '1:1 name', { path: 'elsewhere.at.all' }],
  ])('%s', (_, expected, error) => expect(marked(error)).toBe(expected))

  it('points into a string at what the message quotes', () => {
    const prompt = { path: 'steps.draft.llm.prompt' }
    const field = { ...prompt, code: 'unknown_input_field', message: '`input` has no `topci` in its schema' }
    expect(marked(field)).toBe('9:31 topci')
    expect(marked({ ...prompt, code: 'unknown_step', message: 'there is no step `reserch`' })).toBe('10:23 reserch')
    const name = { path: 'steps.send.with.a.b', code: 'unknown_name', message: '`nothing` is not known here' }
    expect(marked(name)).toBe('15:17 nothing')
  })

  it('points at the start of the string when that is not clear', () => {
    expect(marked({ path: 'steps.draft.llm.prompt', message: 'cannot be read' })).toBe(
      '9:9 Write about ${{ input.topci }}',
    )
    const twice = { path: 'steps.send.with.twice', code: 'unknown_name', message: '`x` is not known here' }
    expect(marked(twice)).toBe('16:14 "${{ x }} ${{ x }}"')
  })

  it('finds the place in JSON, behind an alias, and from a line that a server names', () => {
    const json = readSource('w.json', '{\n\t"name": "w",\n\t"steps": {"a": {"wait": 5}}\n}')
    expect(json.problems).toEqual([])
    expect(marked({ path: 'steps.a.wait' }, json)).toBe('3:26 5')
    const alias = readSource('w.yaml', 'x: &r { attempts: 99 }\nretry: *r\n')
    expect(marked({ path: 'retry.attempts' }, alias)).toBe('1:19 99')
    expect(marked({ path: 'line 7, column 7', code: 'syntax' })).toBe('7:7 m')
  })
})

describe('a syntax error', () => {
  const places = (text: string): string[] =>
    readSource('w.yaml', text).problems.map(({ message, place: at }) => `${at.line}:${at.column} ${message}`)

  it('is found with all others', () => {
    const found = places('name: [a, b\nsteps:\n  a: "x\n  b: @y\n')
    expect(found.length).toBeGreaterThan(1)
    expect(new Set(found.map((one) => one.split(' ')[0])).size).toBeGreaterThan(1)
  })

  it.each([
    ['name: x\nname: y', '2:1 the key is there twice'],
    ['a: 1\n---\nb: 2', '2:1 Source contains multiple documents'],
    ['a: !!js/function x', '1:4 Unresolved tag'],
    ['n: 12345678901234567890', '1:4 a whole number over 2^53'],
    ['# nothing', '1:1 the file holds no definition'],
    ['? [x]\n: y', '1:3 With stringKeys'],
  ])('%j', (text, expected) => expect(places(text)[0]).toContain(expected))
})

describe('what is printed', () => {
  const rendered = (error: ProblemError, from = source, options = plain): string[] =>
    place(from, [error], []).flatMap((finding) => renderFinding(finding, from, options))

  it('is the place, the code, the message, the line, a mark and a suggestion', () => {
    expect(
      rendered({
        path: 'steps.send.needs.1',
        code: 'unknown_step',
        message: 'there is no step `nobody`',
        suggestion: 'draft',
      }),
    ).toEqual([
      'w.yaml:13:20: error unknown_step: there is no step `nobody`',
      ' 13 │     needs: [draft, nobody]',
      '    │                    ^^^^^^',
      '    │ did you mean `draft`?',
    ])
  })

  it('leaves a suggestion that is a sentence as it is', () => {
    const error = {
      path: 'steps.send.tool',
      code: 'unknown_tool',
      message: 'no worker',
      suggestion: 'did you mean "mial"?',
    }
    expect(rendered(error).at(-1)).toBe('    │ did you mean "mial"?')
  })

  it('is in the order of the file, warnings among the errors', () => {
    const one = (path: string): ProblemError => ({ path, code: 'invalid_value', message: 'wrong' })
    const found = place(source, [one('steps.send.tool'), one('name')], [one('labels')])
    expect(found.map(({ severity, place: at }) => `${severity} ${at.line}`)).toEqual([
      'error 1',
      'warning 2',
      'error 12',
    ])
  })

  it('puts the mark under wide characters and tabs', () => {
    const wide = readSource('w.json', '{"名前": "b", "x":\t1}')
    const [, text = '', mark = ''] = rendered({ path: 'x', code: 'unknown_field', message: 'm' }, wide)
    expect(widthOf(text.slice(0, text.indexOf('"x"')))).toBe(mark.indexOf('^'))
    expect(mark.slice(mark.indexOf('^'))).toBe('^^^')
  })

  it('keeps the mark in sight on a long line', () => {
    const long = readSource('w.json', `{"a": "${'x'.repeat(500)}", "bad": 1, "z": "${'y'.repeat(500)}"}`)
    const [, text = '', mark = ''] = rendered({ path: 'bad', code: 'unknown_field', message: 'm' }, long)
    expect(text.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).toBe('"bad"')
    for (const one of [text, mark]) expect(widthOf(one)).toBeLessThanOrEqual(100)
  })

  it('lets nothing from the file reach the terminal as a control sequence', () => {
    const evil = readSource('w\u001b[2J.yaml', 'a: "\u001b]0;title\u0007"\n')
    const text = rendered({ path: 'a', code: 'x', message: 'bad \u001b[31m' }, evil).join('')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the point of the test
    expect(text).not.toMatch(/[\u0000-\u001f]/)
  })

  it('has colours only when asked, and the same text', () => {
    const error = { path: 'steps.send.tool', code: 'x', message: 'm', suggestion: 'http' }
    const coloured = rendered(error, source, { ...plain, color: true })
    expect(coloured.join('')).toContain('\u001b[31m')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
    expect(coloured.map((one) => one.replace(/\u001b\[\d+m/g, ''))).toEqual(rendered(error))
  })

  it('as JSON: the error, its line and column, and nothing else', () => {
    const [finding] = place(source, [{ path: 'name', code: 'c', message: 'm' }], [])
    expect(finding && findingJson(finding)).toEqual({
      path: 'name',
      code: 'c',
      message: 'm',
      line: 1,
      column: 7,
      length: 6,
    })
  })
})
