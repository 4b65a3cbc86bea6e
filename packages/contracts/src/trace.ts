// The trace carrier: W3C trace context as a field of commands and tasks.
import { z } from 'zod'

export const carrierSchema = z.strictObject({ traceparent: z.string(), tracestate: z.string().optional() })
export type Carrier = z.infer<typeof carrierSchema>
