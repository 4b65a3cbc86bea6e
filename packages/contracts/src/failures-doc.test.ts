// docs/failures.md and docs/problems.md have each code once, with its class or status, and none that there is not.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FAILURE_CODES } from './failure.ts'
import { PROBLEMS } from './problem.ts'

interface Section {
  heading: string
  /** Without the blank lines around it. */
  text: string
}

const sectionsOf = (page: string): Section[] => {
  const [, ...parts] = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8').split(/^#{2,} /m)
  return parts.map((part) => {
    const end = part.indexOf('\n')
    return { heading: part.slice(0, end), text: part.slice(end).trim() }
  })
}

// `kind`: what the text of a code begins with, in italics
const pages: [string, [code: string, kind: string][]][] = [
  ['failures.md', Object.entries(FAILURE_CODES)],
  ['problems.md', Object.entries(PROBLEMS).map(([code, status]) => [code, String(status)])],
]

describe.each(pages)('docs/%s', (page, codes) => {
  const sections = sectionsOf(page)
  it('has one heading for each code, in the order of the catalogue, and no other', () => {
    expect(sections.map(({ heading }) => heading)).toEqual(codes.map(([code]) => code))
  })
  it.each(codes)('says what %s is: %s', (code, kind) => {
    const text = sections.find(({ heading }) => heading === code)?.text ?? ''
    expect(text.startsWith(`*${kind}.* `)).toBe(true)
    // more than the kind alone
    expect(text.length).toBeGreaterThan(40)
  })
})
