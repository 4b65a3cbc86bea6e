// Who caused a fact.
import { z } from 'zod'

export const actorSchema = z.strictObject({
  kind: z.enum(['engine', 'worker', 'caller', 'operator', 'supervisor']),
  /** engine id, worker id, key name, or the name a person gave as `by`. */
  id: z.string().max(200),
})
export type Actor = z.infer<typeof actorSchema>
