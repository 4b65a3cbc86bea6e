// What registration found: errors and warnings, each with its place, a stable code and plain words.
import type { ProblemError } from '@stepfleet/contracts'

/** The stable codes of registration; each has a heading in the documentation. */
export const VALIDATION_CODES = [
  'bad_expression',
  'cycle',
  'duplicate_tool',
  'empty_steps',
  'gate_required',
  'invalid_duration',
  'invalid_schema',
  'invalid_value',
  'item_outside_each',
  'misplaced_modifier',
  'misplaced_secret',
  'missing_field',
  'needs_self',
  'no_kind',
  'not_supported_yet',
  'setting_not_supported',
  'several_kinds',
  'shadowed_name',
  'too_many_steps',
  'type_mismatch',
  'unknown_field',
  'unknown_input_field',
  'unknown_name',
  'unknown_output_field',
  'unknown_provider',
  'unpriced_model',
  'unknown_step',
  'unknown_step_field',
  'wrong_type',
] as const
export type ValidationCode = (typeof VALIDATION_CODES)[number]
/** Warnings do not stop a registration. */
export type WarningCode = 'once_is_retried' | 'schema_doubtful' | 'unpriced_model'

export type Path = readonly (string | number)[]
export const dotted = (path: Path): string => path.join('.')

export interface Findings {
  readonly errors: ProblemError[]
  readonly warnings: ProblemError[]
  error(path: Path, code: ValidationCode, message: string, suggestion?: string | null): void
  warn(path: Path, code: WarningCode, message: string, suggestion?: string | null): void
}

const entry = (path: Path, code: string, message: string, suggestion?: string | null): ProblemError => ({
  path: dotted(path),
  code,
  message,
  ...(suggestion === undefined || suggestion === null ? {} : { suggestion }),
})

/** An empty report. One problem met on two ways is said once. */
export const newFindings = (): Findings => {
  const errors: ProblemError[] = []
  const warnings: ProblemError[] = []
  const said = new Set<string>()
  const add = (list: ProblemError[], found: ProblemError): void => {
    const key = `${found.path}\n${found.code}\n${found.message}`
    if (said.has(key)) return
    said.add(key)
    list.push(found)
  }
  return {
    errors,
    warnings,
    error: (...found) => add(errors, entry(...found)),
    warn: (...found) => add(warnings, entry(...found)),
  }
}
