// The limits of models as they are configured: JSON, or a file of it.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { DependencyLimits, LimitsOf } from './port.ts'

const count = z
  .int('must be a whole number')
  .min(1, 'must be at least 1; leave it out for no limit')
  .max(1e9, 'must be at most 1,000,000,000')
  .optional()

const modelEntry = z.strictObject(
  {
    requestsPerMinute: count,
    inputTokensPerMinute: count,
    outputTokensPerMinute: count,
    /** Calls at a time. */
    concurrency: count,
  },
  'takes requestsPerMinute, inputTokensPerMinute, outputTokensPerMinute and concurrency',
)
const providerEntry = z.strictObject(
  { concurrency: count },
  'takes concurrency only: rates belong to models, name each of them',
)

const NAME = /^[a-z][a-z0-9_-]*\/(\*|[A-Za-z0-9._:-]+)$/
const isProvider = (name: string): boolean => name.endsWith('/*')

/** `{"<provider>/<model>": {…}, "<provider>/*": {"concurrency": …}}`. */
export const modelLimitsSchema = z.record(z.string(), z.unknown()).transform((entries, context) => {
  const models = new Map<string, z.infer<typeof modelEntry>>()
  for (const [name, entry] of Object.entries(entries)) {
    const read = (isProvider(name) ? providerEntry : modelEntry).safeParse(entry)
    if (!NAME.test(name)) {
      const message = 'is neither <provider>/<model> nor <provider>/*'
      context.addIssue({ code: 'custom', path: [name], message })
    } else if (read.success) models.set(name, read.data)
    else
      for (const { path, message } of read.error.issues)
        context.addIssue({ code: 'custom', path: [name, ...path], message })
  }
  return models
})
export type ModelLimits = z.infer<typeof modelLimitsSchema>

/** The limits cannot be read. One line says where and why, without the values. */
export class ModelLimitsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ModelLimitsError'
  }
}

const readJson = (text: string, from: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new ModelLimitsError(`${from} is not JSON`)
  }
}

const readText = (given: string): { text: string; from: string } => {
  if (given.trimStart().startsWith('{')) return { text: given, from: 'the text of the model limits' }
  try {
    return { text: readFileSync(given, 'utf8'), from: given }
  } catch {
    throw new ModelLimitsError('is neither JSON (it does not start with "{") nor a file that can be read')
  }
}

/** `given`: JSON, or the path of a file of it; absent: no limits. Throws ModelLimitsError. */
export const readModelLimits = (given: string | undefined): ModelLimits => {
  if (given === undefined) return new Map()
  const { text, from } = readText(given)
  const read = modelLimitsSchema.safeParse(readJson(text, from))
  if (read.success) return read.data
  const lines = read.error.issues.map(({ path, message }) => `${path.join('.') || '(all)'} ${message}`)
  throw new ModelLimitsError(lines.join('; '))
}

/** What each dependency may. One without an entry has no limit; pauses hold all the same. */
export const limitsOf = (models: ModelLimits): LimitsOf => {
  const providerOf = (dependency: string): string => dependency.slice(0, dependency.indexOf('/'))
  return (dependency): DependencyLimits => {
    const entry = models.get(dependency)
    return {
      requestsPerMinute: entry?.requestsPerMinute ?? null,
      inputTokensPerMinute: entry?.inputTokensPerMinute ?? null,
      outputTokensPerMinute: entry?.outputTokensPerMinute ?? null,
      concurrency: entry?.concurrency ?? null,
      providerConcurrency: models.get(`${providerOf(dependency)}/*`)?.concurrency ?? null,
    }
  }
}
