// The guide has the tables of the code, and the README leads to it.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DOOR_NAMES, TABLES } from './guide.fixture.ts'
import { ruleSchema } from './rules.ts'

const textOf = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const guide = textOf('../../../docs/guide/scripted-servers.md')

/** The table under a heading, line by line. */
const tableUnder = (heading: string): string[] => {
  const start = guide.indexOf(`# ${heading}\n`)
  expect(start, `a heading ${heading}`).toBeGreaterThan(0)
  const lines = guide.slice(start).split('\n').slice(1)
  const next = lines.findIndex((line) => line.startsWith('#'))
  return lines.slice(0, next < 0 ? undefined : next).filter((line) => line.startsWith('|'))
}

describe('the guide', () => {
  it.each(Object.entries(TABLES))('has the table %s of the code', (heading, table) => {
    expect(tableUnder(heading)).toEqual(table.split('\n'))
  })

  it.each(DOOR_NAMES)('explains %s', (door) => {
    expect(guide).toMatch(new RegExp(`\`${door}(/\\{[a-z]+\\})?\``))
  })

  it('shows rules that can be read', () => {
    const blocks = [...guide.matchAll(/```json\n([\s\S]*?)\n```/g)].map(([, block = '']): unknown => JSON.parse(block))
    expect(blocks.length).toBeGreaterThan(0)
    for (const block of blocks) expect(ruleSchema.safeParse(block).error).toBeUndefined()
  })
})

it('the README leads to the guide', () => {
  expect(textOf('../README.md')).toContain('docs/guide/scripted-servers.md')
})
