// The head of a run as its hash holds it, and back.
import { runStatusSchema, workflowRefSchema } from '@stepfleet/contracts'
import { z } from 'zod'
import type { RunHead } from '../port.ts'

const json = z.string().transform((text): unknown => JSON.parse(text))
const number = z.coerce.number()

const headSchema = z.object({
  status: runStatusSchema,
  version: number,
  tip: z.string(),
  workflow: json.pipe(workflowRefSchema),
  labels: json.pipe(z.record(z.string(), z.string())),
  createdAtMs: number,
  endedAtMs: number.nullable().default(null),
  fingerprint: z.string(),
  snapshotSeq: number,
})

/** From HGETALL as ioredis gives it; null when there is no run. */
export const parseHead = (ns: string, run: string, fields: Record<string, string>): RunHead | null =>
  fields.status === undefined ? null : { ns, run, ...headSchema.parse(fields) }

const flatSchema = z.array(z.string())

/** From HGETALL as a script gives it. */
export const parseFlatHead = (ns: string, run: string, flat: unknown): RunHead | null => {
  const parts = flatSchema.parse(flat)
  const fields: Record<string, string> = {}
  for (let i = 0; i < parts.length; i += 2) fields[parts[i] ?? ''] = parts[i + 1] ?? ''
  return parseHead(ns, run, fields)
}
