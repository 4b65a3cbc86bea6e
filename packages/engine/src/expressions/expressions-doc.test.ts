// docs/reference/expressions.md has each function once and none that there is not, and every example on it is true.
import { readFileSync } from 'node:fs'
import { type Json, LIMITS } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import type { Scope } from '../definition/plan.ts'
import { validate } from '../definition/validate.ts'
import { RUN } from '../definition/validation/outputs.ts'
import { COMPREHENSIONS } from './comprehensions.ts'
import { BUILTINS } from './functions.ts'
import { STEP_FIELDS } from './names.ts'
import { SIGNATURES } from './signatures.ts'
import { failure, render } from './testing.fixture.ts'

const page = readFileSync(new URL('../../../../docs/reference/expressions.md', import.meta.url), 'utf8')

interface Row {
  /** The nearest heading above. */
  section: string
  /** Column → text; a cell that is one code span without its backticks. */
  cells: ReadonlyMap<string, string>
}

/** The cells of a line of a table: `\|` is no border, one code span is what stands in it. */
const cellsOf = (line: string): string[] => {
  const cells = line.split(/(?<!\\)\|/).slice(1, -1)
  return cells.map((cell) => {
    const text = cell.trim().replaceAll('\\|', '|')
    const [, code] = /^(?:`` ?(.*?) ?``|`([^`]*)`)$/.exec(text)?.filter((part) => part !== undefined) ?? []
    return code ?? text
  })
}

const rowsOf = (text: string): Row[] => {
  const rows: Row[] = []
  let section = ''
  let header: string[] | null = null
  for (const line of text.split('\n')) {
    const [, heading] = /^#+ (.*)$/.exec(line) ?? []
    section = heading ?? section
    if (!line.startsWith('| ')) {
      header = null
      continue
    }
    const cells = cellsOf(line)
    if (header === null) header = cells
    else if (!/^[|\s-]+$/.test(line)) {
      if (cells.length !== header.length) throw new Error(`not as wide as its table: ${line}`)
      rows.push({ section, cells: new Map(header.map((name, at) => [name, cells[at] ?? ''])) })
    }
  }
  return rows
}

const rows = rowsOf(page.replaceAll(/^```[\s\S]*?^```$/gm, ''))
const cell = (row: Row, column: string): string => row.cells.get(column) ?? ''
/** The rows of all tables with a column. */
const having = (column: string): Row[] => rows.filter((row) => row.cells.has(column))
const columnOf = (column: string): string[] => having(column).map((row) => cell(row, column))
const blockOf = (name: string): string =>
  new RegExp(`^\`\`\`json ${name}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(page)?.[1] ?? ''

const scope: Scope = JSON.parse(blockOf('scope'))
const json = (text: string): Json => JSON.parse(text)

describe('the examples', () => {
  const examples = having('result').map((row) => {
    const expression = row.cells.get('expression')
    const source = expression === undefined ? cell(row, 'template') : `\${{ ${expression} }}`
    return [row.section, source, cell(row, 'result')] as const
  })
  it('are there', () => expect(examples.length).toBeGreaterThan(90))
  it.each(examples)('%s: %s is %s', (_, source, result) => {
    expect(render(source, scope)).toEqual({ ok: true, value: json(result) })
  })

  const failing = having('fails with').map((row) => [cell(row, 'expression'), cell(row, 'fails with')] as const)
  it('show errors', () => expect(failing.length).toBeGreaterThan(10))
  it.each(failing)('%s fails with: %s', (code, message) => {
    expect(message).not.toBe('')
    expect(failure(code, scope)).toContain(message)
  })

  const refused = having('code').map(
    (row) => [cell(row, 'expression'), cell(row, 'code'), cell(row, 'message')] as const,
  )
  const definitionWith = (code: string): unknown =>
    json(blockOf('definition').replace('"${{ … }}"', JSON.stringify(`\${{ ${code} }}`)))
  it('stand in a definition that is right', () =>
    expect(validate(definitionWith('input.topic'))).toMatchObject({ ok: true }))
  it.each(refused)('registration says of %s: %s', (code, expected, message) => {
    const checked = validate(definitionWith(code))
    const errors = checked.ok ? [] : checked.errors
    expect(errors.map((error) => [error.path, error.code])).toContainEqual(['steps.here.value', expected])
    expect(message).not.toBe('')
    expect(errors.map((error) => error.message).join('; ')).toContain(message)
  })
})

describe('the functions', () => {
  const documented = having('function').map((row) => [/^\w*/.exec(cell(row, 'function'))?.[0] ?? '', row] as const)

  it('are those of the library, each once', () => {
    expect(documented.map(([name]) => name).sort()).toEqual([...BUILTINS.keys()].sort())
  })

  it.each(documented)(
    '%s is written as its messages say, gives what it says, and its example calls it',
    (name, row) => {
      expect(cell(row, 'function')).toBe(BUILTINS.get(name)?.usage)
      expect(cell(row, 'gives')).toBe(SIGNATURES.get(name)?.gives)
      expect(cell(row, 'expression')).toMatch(new RegExp(`\\b${name}\\(`))
    },
  )

  it('go with the macros, which are those of the language', () => {
    const names = columnOf('macro').map((macro) => /(\w+)\(/.exec(macro)?.[1])
    expect(new Set(names)).toEqual(new Set([...COMPREHENSIONS, 'has']))
  })
})

describe('the names', () => {
  const fieldsIn = (section: string): string[] =>
    having('field')
      .map((row) => cell(row, 'field'))
      .filter((field) => field.startsWith('run.') === (section === 'run'))

  it('of a step and of the run are those that there are', () => {
    expect(fieldsIn('step')).toEqual([...STEP_FIELDS])
    expect(fieldsIn('run')).toEqual(Object.keys(RUN).map((field) => `run.${field}`))
  })

  it.each(columnOf('name'))('%s may be no name of an item: it is taken', (written) => {
    const name = /^\w+/.exec(written)?.[0] ?? ''
    const step = { each: { in: [1], as: name }, value: 1 }
    const checked = validate({ name: 'w', steps: { a: step } })
    // `item` is what an item is called anyway
    expect(checked.ok ? [] : checked.errors.map(({ code }) => code)).toEqual(name === 'item' ? [] : ['shadowed_name'])
  })
})

describe('the limits', () => {
  const text = (length: number): string => `'${'a'.repeat(length - 2)}'`
  const list = (length: number): string => `[${Array.from({ length }, () => 1).join()}]`
  /** An expression of just that size. */
  const sized: Readonly<Record<string, (size: number) => string>> = {
    'characters of an expression': text,
    // a sum of n numbers has n - 1 operators
    'parts (names, literals, operators, calls)': (size) =>
      `${size % 2 === 0 ? '-' : ''}1${'+1'.repeat((size - 1) / 2)}`,
    'depth of nesting': (size) => `${'('.repeat(size - 1)}1${')'.repeat(size - 1)}`,
    'items of a written list': list,
    'arguments of a call': (size) => `coalesce(${Array.from({ length: size }, () => 1).join()})`,
  }
  const limits = having('limit').map(
    (row) => [cell(row, 'limit'), Number(cell(row, 'at most').replaceAll(',', ''))] as const,
  )
  const written = limits.filter(([limit]) => limit in sized)

  it('are all looked at', () => {
    const values = limits.filter(([limit]) => !(limit in sized)).map(([, most]) => most)
    expect(values).toEqual([LIMITS.expressionCost, LIMITS.payloadBytes / 1024 / 1024])
    expect(written).toHaveLength(Object.keys(sized).length)
  })

  it.each(written)('%s: %d and no more', (limit, most) => {
    const make = sized[limit] ?? text
    expect(failure(make(most))).toContain('no failure')
    expect(failure(make(most + 1))).not.toContain('no failure')
  })

  it('of operations is where it is said', () => {
    const input = { input: { list: Array.from({ length: LIMITS.eachItems }, (_, i) => i) } }
    expect(failure('input.list.filter(x, x % 2 == 0).size()', input)).toContain('no failure')
    expect(failure('input.list.map(x, input.list.exists(y, x < y))', input)).toContain('more than 100000 operations')
  })
})
