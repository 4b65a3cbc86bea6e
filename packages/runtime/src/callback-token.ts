// Tokens of callbacks: who has one may answer that attempt, and nothing else. A token says which attempt it is for and is
// signed, so it is stored nowhere and any process can make the same one again: a worker that tells the outside after
// another has died, the API that shows it.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { FLEET, namespaceSchema, runIdSchema, stepPathSchema } from '@stepfleet/contracts'
import { z } from 'zod'
import type { RedisClient } from './redis.ts'

const refSchema = z.tuple([namespaceSchema, runIdSchema, z.int().nonnegative(), stepPathSchema, z.int().positive()])

/** The attempt a token is for. */
export interface CallbackRef {
  ns: string
  run: string
  /** Start of the run: one that is restarted under its id has tokens of its own. */
  startedAtMs: number
  path: string
  attempt: number
}

const PREFIX = 'cb_'

const macOf = (secret: string, said: string): string => createHmac('sha256', secret).update(said).digest('base64url')

/** Letters, digits, `_`, `-` and one `.`: it needs no encoding in a URL. */
export const callbackToken = (secret: string, ref: CallbackRef): string => {
  const { ns, run, startedAtMs, path, attempt } = ref
  const said = PREFIX + Buffer.from(JSON.stringify([ns, run, startedAtMs, path, attempt])).toString('base64url')
  return `${said}.${macOf(secret, said)}`
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** What a token is for; null when it was not made with this secret. Texts are compared, not what they decode to. */
export const readCallbackToken = (secret: string, token: string): CallbackRef | null => {
  const cut = token.lastIndexOf('.')
  const said = token.slice(0, Math.max(cut, 0))
  const given = Buffer.from(token.slice(cut + 1))
  const right = Buffer.from(macOf(secret, said))
  if (given.length !== right.length || !timingSafeEqual(given, right)) return null
  const ref = refSchema.safeParse(parsed(Buffer.from(said.slice(PREFIX.length), 'base64url').toString()))
  if (!ref.success) return null
  const [ns, run, startedAtMs, path, attempt] = ref.data
  return { ns, run, startedAtMs, path, attempt }
}

const SECRET_BYTES = 32

/**
 * The secret of this fleet: made by whoever asks first. Read each time and kept nowhere, so that a Redis that was emptied
 * is not signed for with what it had before.
 */
export const callbackSecret = async (client: RedisClient): Promise<string> => {
  const known = await client.get(FLEET.callbackSecret)
  if (known !== null) return known
  await client.set(FLEET.callbackSecret, randomBytes(SECRET_BYTES).toString('base64url'), 'NX')
  const made = await client.get(FLEET.callbackSecret)
  if (made === null) throw new Error('the secret of callbacks was written and is gone')
  return made
}
