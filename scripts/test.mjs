// `npm test`: installs and builds what is missing, runs the tests, and ends with one line of counts.
// `npm test -- packages/engine` runs a part. A skipped test fails the run, but for those that need Docker.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkNode, ensureInstalled, root, run, timed } from './steps.mjs'

/**
 * @typedef {{ fullName: string, status: string, duration?: number }} Assertion
 * @typedef {{ name: string, status: string, message?: string, startTime: number, endTime: number, assertionResults: Assertion[] }} TestFile
 * @typedef {{ success: boolean, testResults: TestFile[] }} Report
 */

/**
 * Counts of a vitest report. A file that could not be loaded has no tests to count: it is one failure.
 * @param {Report} report
 */
export const countsOf = (report) => {
  const counts = { passed: 0, failed: 0, skipped: 0, /** @type {string[]} */ forbiddenSkips: [] }
  for (const file of report.testResults) {
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) counts.failed += 1
    for (const test of file.assertionResults) {
      if (test.status === 'passed') counts.passed += 1
      else if (test.status === 'failed') counts.failed += 1
      else {
        counts.skipped += 1
        if (!/docker/i.test(`${file.name} ${test.fullName}`))
          counts.forbiddenSkips.push(`${file.name}: ${test.fullName}`)
      }
    }
  }
  return counts
}

/**
 * The last line: `N passed, N failed`, and the skipped ones when there are any.
 * @param {{ passed: number, failed: number, skipped: number }} counts
 */
export const lastLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

/**
 * Seconds of each workspace's test files, the longest first.
 * @param {Report} report
 */
export const secondsOfParts = (report) => {
  const parts = new Map()
  for (const file of report.testResults) {
    const [group = '', name = ''] = relative(root, file.name).split(/[\\/]/)
    const part = group === 'e2e' || group === 'scripts' ? group : `${group}/${name}`
    parts.set(part, (parts.get(part) ?? 0) + (file.endTime - file.startTime) / 1_000)
  }
  return [...parts].sort((a, b) => b[1] - a[1])
}

/** @param {string} file @returns {Report | null} */
const readReport = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

const main = async () => {
  checkNode()
  await timed('install', ensureInstalled)
  const { build } = await import('./build.mjs')
  const built = await timed('build', build)
  if (built !== 0) {
    console.error('The build failed; the messages above say where.')
    return built
  }
  const dir = mkdtempSync(join(tmpdir(), 'stepfleet-test-'))
  const file = join(dir, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...reporters, ...process.argv.slice(2)]
  const code = await timed('tests', () => run(process.execPath, args))
  const report = readReport(file)
  rmSync(dir, { recursive: true, force: true })
  if (!report) {
    console.error('The tests left no report.')
    return code || 1
  }
  for (const [part, seconds] of secondsOfParts(report)) console.log(`[${part}: ${seconds.toFixed(1)} s]`)
  const counts = countsOf(report)
  for (const name of counts.forbiddenSkips) console.error(`skipped, and not because Docker is missing: ${name}`)
  if (counts.passed + counts.failed === 0) console.error('No test ran.')
  console.log(lastLine(counts))
  return code || (counts.failed > 0 || counts.forbiddenSkips.length > 0 || counts.passed === 0 ? 1 : 0)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main()
