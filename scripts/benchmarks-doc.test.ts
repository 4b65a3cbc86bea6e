// docs/benchmarks.md is what the results say, to the letter, and leaves none of them out.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PAGE, report } from '../bench/report.ts'

const RESULTS = new URL('../bench/results/', import.meta.url)

it('docs/benchmarks.md is written from bench/results: run `npm run bench:report` after measuring', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(report())
})

it.each(readdirSync(RESULTS))('docs/benchmarks.md has what %s says', (file) => {
  const { command, date } = JSON.parse(readFileSync(new URL(file, RESULTS), 'utf8'))
  expect(report()).toContain(`\`${command}\`, ${date.slice(0, 10)}, `)
})
