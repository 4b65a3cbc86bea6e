// The patterns of users' schemas, matched in linear time: a schema comes from whoever may submit a workflow, and the text
// from a model or from anybody, so a pattern that backtracks would stop a process for hours.
import { RE2JS } from 're2js'

interface Pattern {
  test(text: string): boolean
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What RE2 lacks, in words; it names the others itself. */
const LACKING: readonly (readonly [RegExp, string])[] = [
  [/\(\?<?[=!]/, 'looks ahead or behind'],
  [/\\[1-9]|\\k</, 'refers back to a group'],
]

/** Throws for what is no pattern of JSON Schema (ECMA-262, unicode), and for what cannot be matched in linear time. */
const compile = (source: string): Pattern => {
  new RegExp(source, 'u')
  const lacking = LACKING.find(([sign]) => sign.test(source.replaceAll('\\\\', '')))
  const told = `the pattern ${JSON.stringify(source)}`
  if (lacking) throw new Error(`${told} ${lacking[1]}, which cannot be matched in linear time`)
  try {
    return RE2JS.compile(RE2JS.translateRegExp(source))
  } catch (error) {
    throw new Error(`${told} cannot be used: ${messageOf(error)}`, { cause: error })
  }
}

/** As ajv wants it. `code` names it in generated modules, of which there are none. */
export const linearTime = Object.assign((source: string): Pattern => compile(source), { code: 'linearTime' })
