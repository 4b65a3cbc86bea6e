// defineWorkflow: a workflow written as code.
import type { Json } from '@stepfleet/contracts'
import type { z } from 'zod'
import type { CodeStart } from '../host/protocol.ts'
import { CodeRun } from './code-run.ts'
import type { Run } from './run.ts'
import { type JsonObject, type ReadSchema, readSchema } from './schema.ts'

/** The same symbol in every copy of this package: the host knows what the copy in a bundle made. */
const WORKFLOW: unique symbol = Symbol.for('stepfleet.workflow')

/** A workflow name of the format. */
const NAME = /^[a-z][a-z0-9_-]{0,63}$/

export type InputSchema = z.ZodType | JsonObject
type InputOf<I> = I extends z.ZodType ? z.output<I> : Json

export interface WorkflowOptions<I extends InputSchema | undefined> {
  /** `^[a-z][a-z0-9_-]{0,63}$` */
  name: string
  description?: string
  /** Checked when a run is submitted. With zod, the code gets what the schema makes of it. */
  input?: I
}

/** What defineWorkflow makes and an orchestrator loads. A bundle keeps its copy for life, so 1 keeps its meaning. */
export interface Workflow {
  readonly [WORKFLOW]: 1
  readonly name: string
  readonly description: string | null
  readonly input: JsonObject | null
  /** Starts the code of a run. */
  begin(start: CodeStart): CodeRun
}

/** True for what any copy of this package's defineWorkflow made. */
export const isWorkflow = (value: unknown): value is Workflow =>
  typeof value === 'object' && value !== null && WORKFLOW in value

const FIELDS: readonly string[] = ['name', 'description', 'input']

const check = (options: WorkflowOptions<InputSchema | undefined>, main: unknown): ReadSchema | null => {
  const unknown = Object.keys(options).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) throw new TypeError(`there is no option ${unknown}; there are ${FIELDS.join(', ')}`)
  if (!NAME.test(options.name)) throw new TypeError('name: lower case letters, digits, _ and -')
  if (typeof main !== 'function') throw new TypeError('its code is a function of (run, input)')
  if (options.description !== undefined && typeof options.description !== 'string')
    throw new TypeError('description: a text is required')
  return options.input === undefined ? null : readSchema(options.input, 'input')
}

/**
 * Makes a workflow of code. The code runs again from the start whenever its run is loaded anew, so it must do the same
 * each time: what it wants from the world is a step.
 * @throws Error that names the workflow when the options are wrong; unknown fields are refused.
 */
export const defineWorkflow = <I extends InputSchema | undefined = undefined>(
  options: WorkflowOptions<I>,
  main: (run: Run, input: InputOf<I>) => unknown,
): Workflow => {
  let schema: ReadSchema | null
  try {
    schema = check(options, main)
  } catch (error) {
    throw new Error(
      `defineWorkflow(${String(options?.name)}): ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  const read = schema?.read ?? ((input: Json): unknown => input)
  return {
    [WORKFLOW]: 1,
    name: options.name,
    description: options.description ?? null,
    input: schema?.jsonSchema ?? null,
    begin: (start) => {
      const code = new CodeRun(start)
      // the parsing edge: the schema has just read it
      code.begin((run) => main(run, read(start.input) as InputOf<I>))
      return code
    },
  }
}
