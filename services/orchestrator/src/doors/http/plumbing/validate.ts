// The compiler that judges parameters, headers and bodies by their zod schemas, in our own words.
import { z } from 'zod'
import { errorsOfZod, Rejection } from '../problems.ts'

/** Where a part of a request is, as the first part of an error's path; the body is the default. */
const PLACES: Record<string, string> = { params: 'path', querystring: 'query', headers: 'header' }

const fieldsOf = (schema: z.core.$ZodType): string[] => {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return fieldsOf(schema.unwrap())
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

export const validatorCompiler = ({ schema, httpPart }: { schema: z.core.$ZodType; httpPart?: string }) => {
  const known = fieldsOf(schema)
  const place = PLACES[httpPart ?? ''] ?? ''
  return (data: unknown): { value: unknown } | { error: Rejection } => {
    const result = z.safeParse(schema, data, { reportInput: true })
    if (result.success) return { value: result.data }
    const errors = errorsOfZod(result.error, place, known)
    const first = errors[0]
    const where = first?.path || 'body'
    return {
      error: new Rejection('bad_request', first ? `${where}: ${first.message}` : 'the request does not fit', {
        errors,
      }),
    }
  }
}
