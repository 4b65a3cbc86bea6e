// docs/benchmarks.md is what the results say, to the letter.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PAGE, report } from '../bench/report.ts'

it('docs/benchmarks.md is written from bench/results: run `npm run bench:report` after measuring', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(report())
})
