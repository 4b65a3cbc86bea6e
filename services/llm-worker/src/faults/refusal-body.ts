// Reads the body of an error, whichever of the three protocols (or gateway in front of them) wrote it.
import { z } from 'zod'
import type { Refusal } from './fault.ts'

const text = z.string().optional().catch(undefined)

const detailSchema = z.object({
  /** google.rpc.ErrorInfo */
  reason: text,
  /** google.rpc.RetryInfo, like `36s` or `0.5s` */
  retryDelay: text,
  /** google.rpc.QuotaFailure */
  violations: z
    .array(z.object({ quotaId: text }))
    .optional()
    .catch(undefined),
})

const errorSchema = z.object({
  message: text,
  type: text,
  status: text,
  code: z.union([z.string(), z.number()]).nullish().catch(undefined),
  details: z.array(detailSchema).optional().catch(undefined),
})
type ErrorBody = z.infer<typeof errorSchema>

const SHOWN = 500

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The error inside a parsed body: `{error: {…}}`, `[{error: {…}}]`, `{error: "…"}`, `{detail: …}`, or itself. */
const errorIn = (body: unknown): ErrorBody => {
  const outer: unknown = Array.isArray(body) ? body[0] : body
  if (typeof outer === 'string') return { message: outer }
  if (!isRecord(outer)) return {}
  const { error, detail } = outer
  if (isRecord(error)) return errorSchema.parse(error)
  if (typeof error === 'string') return { message: error }
  const own = errorSchema.parse(outer)
  if (own.message !== undefined || detail === undefined) return own
  return { ...own, message: typeof detail === 'string' ? detail : JSON.stringify(detail) }
}

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    // a proxy's page or a line of text
    return body.trim() === '' ? {} : { message: body.trim().slice(0, SHOWN) }
  }
}

const waitOf = (details: ErrorBody['details']): number | null => {
  for (const { retryDelay } of details ?? []) {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(retryDelay ?? '')?.[1]
    if (seconds !== undefined) return Math.ceil(Number(seconds) * 1_000)
  }
  return null
}

const isHttpError = (code: unknown): code is number => typeof code === 'number' && code >= 400 && code < 600

/**
 * A refusal out of the body of an error, as text or parsed. With `status` it is an HTTP answer; with null it came inside
 * a stream, and the status is the one that the error names, if it does.
 */
export const refusalOf = (
  body: unknown,
  { status, headers }: { status: number | null; headers: Headers | null },
): Refusal => {
  const error = errorIn(typeof body === 'string' ? parse(body) : body)
  const { code, type, details } = error
  const names = [
    ...(details ?? []).flatMap(({ reason, violations }) => [reason, ...(violations ?? []).map((one) => one.quotaId)]),
    typeof code === 'string' ? code : undefined,
    type,
    error.status,
  ].filter((name) => name !== undefined && name !== '')
  return {
    status: status ?? (isHttpError(code) ? code : null),
    inStream: status === null,
    names: names.flatMap((name) => name ?? []),
    message: (error.message ?? '').trim() || 'no reason was given',
    headers,
    requestId: headers?.get('request-id') ?? headers?.get('x-request-id') ?? null,
    waitMs: waitOf(details),
  }
}
