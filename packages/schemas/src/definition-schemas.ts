// The JSON Schemas in a definition: registration, `workflows validate` and simulations judge them alike.
import { allSteps, type Definition, type ProblemError, type StepDefinition } from '@stepfleet/contracts'
import type { JsonSchema, SchemaChecks } from './schema-checks.ts'

interface Placed {
  path: string
  schema: JsonSchema
}

type Body = Pick<StepDefinition, 'llm' | 'agent'>

const ofBody = (
  place: string,
  { llm, agent }: Body,
): (Omit<Placed, 'schema'> & { schema: JsonSchema | undefined })[] => [
  { path: `${place}.llm.output`, schema: llm?.output },
  { path: `${place}.agent.output`, schema: agent?.output },
  ...(agent?.tools ?? []).map((tool, at) => ({
    path: `${place}.agent.tools.${at}.input`,
    schema: typeof tool === 'string' ? undefined : tool.input,
  })),
]

/** Every JSON Schema with its place. */
const schemasIn = ({ input, steps }: Definition): Placed[] =>
  [
    { path: 'input', schema: input },
    ...allSteps(steps).flatMap(({ place, step }) => [
      ...ofBody(place, step),
      ...ofBody(`${place}.fallback`, step.fallback ?? {}),
      ...ofBody(`${place}.compensate`, { llm: step.compensate?.llm }),
      { path: `${place}.signal.schema`, schema: typeof step.signal === 'object' ? step.signal.schema : undefined },
    ]),
  ].flatMap(({ path, schema }) => (schema ? [{ path, schema }] : []))

/** What is wrong with the schemas of a definition that is right otherwise. */
export const schemaErrors = (definition: Definition, schemas: SchemaChecks): ProblemError[] =>
  schemasIn(definition).flatMap(({ path, schema }) => {
    const why = schemas.compileError(schema)
    return why === null ? [] : [{ path, code: 'invalid_schema', message: `the schema cannot be used: ${why}` }]
  })
