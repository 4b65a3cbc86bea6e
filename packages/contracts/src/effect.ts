// What repeating a step does to the world.
import { z } from 'zod'

/**
 * `read`: free to repeat. `idempotent`: repeat with the same effect key. `once`: unrepeatable (e-mail,
 * payment); a `once` task that has begun and was lost is ambiguous and escalates.
 */
export const effectSchema = z.enum(['read', 'idempotent', 'once'])
export type Effect = z.infer<typeof effectSchema>
