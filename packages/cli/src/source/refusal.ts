// What a server says of a definition that came from a file, told with the places in that file.
import { StepfleetError } from '@stepfleet/client'
import type { Context } from '../context.ts'
import { place, renderFinding, totals } from './report.ts'
import type { Finding, Source } from './source.ts'

/** Codes whose errors are about the definition; others (the input, labels of the run) have no place in the file. */
const ABOUT_DEFINITIONS: ReadonlySet<string> = new Set(['invalid_json', 'invalid_definition', 'not_supported_yet'])

const findingsIn = ({ problem }: StepfleetError, source: Source): Finding[] => {
  if (!ABOUT_DEFINITIONS.has(problem.code)) return []
  // the server stops at the first slip of the syntax; the file is at hand, so all of them can be told
  return source.problems.length > 0 ? source.problems : place(source, problem.errors ?? [], [])
}

/** The error to throw on instead: with every place in the file when it is about the definition, else the same one. */
export const refusalOf = (error: unknown, source: Source, { screen, color }: Context): unknown => {
  const findings = error instanceof StepfleetError ? findingsIn(error, source) : []
  if (!(error instanceof StepfleetError) || findings.length === 0) return error
  const options = { width: screen.width, color: color && process.stderr.isTTY === true }
  const lines = findings.flatMap((finding) => renderFinding(finding, source, options))
  const { title, code } = error.problem
  return new Error([`${title} [${code}]`, ...lines, totals(findings)].join('\n'), { cause: error })
}
