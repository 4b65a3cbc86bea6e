// What `npm test` makes of a report: its last line, and skips that count against it.
import { describe, expect, it } from 'vitest'
import { root } from './steps.mjs'
import { countsOf, lastLine, secondsOfParts } from './test.mjs'

const file = (name: string, statuses: string[], more: object = {}) => ({
  name: `${root}/${name}`,
  status: statuses.includes('failed') ? 'failed' : 'passed',
  startTime: 1_000,
  endTime: 3_500,
  assertionResults: statuses.map((status, i) => ({ fullName: `test ${i}`, status })),
  ...more,
})

describe('the verdict on a report', () => {
  it('counts tests, and says skipped only when there are any', () => {
    const report = { success: false, testResults: [file('packages/a/src/a.test.ts', ['passed', 'passed', 'failed'])] }
    expect(lastLine(countsOf(report))).toBe('2 passed, 1 failed')
    const withSkips = { success: true, testResults: [file('packages/a/src/a.docker.test.ts', ['passed', 'skipped'])] }
    expect(lastLine(countsOf(withSkips))).toBe('1 passed, 0 failed, 1 skipped')
  })
  it('forbids skips, but for Docker', () => {
    const report = {
      success: true,
      testResults: [
        file('packages/a/src/a.test.ts', ['skipped', 'todo']),
        file('packages/a/src/a.docker.test.ts', ['skipped']),
      ],
    }
    expect(countsOf(report).forbiddenSkips).toEqual([
      `${root}/packages/a/src/a.test.ts: test 0`,
      `${root}/packages/a/src/a.test.ts: test 1`,
    ])
  })
  it('counts a file that could not be loaded as a failure', () => {
    const report = { success: false, testResults: [file('packages/a/src/a.test.ts', [], { status: 'failed' })] }
    expect(lastLine(countsOf(report))).toBe('0 passed, 1 failed')
  })
  it('adds up the seconds of each part', () => {
    const report = {
      success: true,
      testResults: [
        file('e2e/x.test.ts', []),
        file('packages/a/src/a.test.ts', []),
        file('packages/a/src/b.test.ts', []),
      ],
    }
    expect(secondsOfParts(report)).toEqual([
      ['packages/a', 5],
      ['e2e', 2.5],
    ])
  })
})
