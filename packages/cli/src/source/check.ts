// Checks a definition file without any server: its syntax, or else what registration would say.
import type { Definition } from '@stepfleet/contracts'
import { validate } from '@stepfleet/engine'
import { createSchemaChecks, schemaErrors } from '@stepfleet/schemas'
import { readText } from '../values.ts'
import { place } from './report.ts'
import { type Finding, readSource, type Source } from './source.ts'

export interface Checked {
  source: Source
  /** Errors and warnings in the order of the file. */
  findings: Finding[]
  /** Null when there are errors. */
  definition: Definition | null
}

export const isError = ({ severity }: Finding): boolean => severity === 'error'

/** A file under the name that errors give it; `-` is stdin. */
export const sourceOf = async (file: string): Promise<Source> =>
  readSource(file === '-' ? '<stdin>' : file, await readText(file))

export const checkFile = async (file: string): Promise<Checked> => {
  const source = await sourceOf(file)
  if (source.problems.length > 0) return { source, findings: source.problems, definition: null }
  const result = validate(source.value)
  const errors = result.ok ? schemaErrors(result.definition, createSchemaChecks()) : result.errors
  return result.ok && errors.length === 0
    ? { source, findings: place(source, [], result.warnings), definition: result.definition }
    : { source, findings: place(source, errors, []), definition: null }
}
