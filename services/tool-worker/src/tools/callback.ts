// The built-in tool `callback`: tells somebody outside of an attempt, with the token that answers it. Its own answer is
// none: that the outside has taken it is all there is to know. The engine waits for the rest.
import { type Json, nearest } from '@stepfleet/contracts'
import { type CallbackRef, callbackToken, TaskFailure } from '@stepfleet/runtime'
import { safeFailure } from '../failure.ts'
import type { Egress } from './egress.ts'
import { type HttpCall, sendHttp } from './http.ts'

/** As packages/engine/src/definition/validation/built-in-tools.ts. */
const FIELDS = ['url', 'method', 'headers', 'body']
const METHODS = ['POST', 'PUT', 'PATCH']

/** What tokens are made of, and where they are handed in. */
export interface Callbacks {
  secret(): Promise<string>
  /** Of the API, as the outside reaches it; no slash at its end. */
  publicUrl: string
}

const isMap = (value: Json | undefined): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const invalid = (message: string): TaskFailure =>
  new TaskFailure(safeFailure('tool_input_invalid', `callback: ${message}`))

/** The request, with the token in its body: whoever forwards the body to a queue forwards the token too. */
const requestOf = (input: Json, callback: Json): Json => {
  if (!isMap(input)) throw invalid('`with` is a map')
  const unknown = Object.keys(input).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) {
    const near = nearest(unknown, FIELDS)
    throw invalid(`unknown field ${unknown}${near === null ? '' : `; did you mean ${near}?`}`)
  }
  const { method = 'POST', body = {}, ...more } = input
  const verb = typeof method === 'string' ? method.toUpperCase() : ''
  if (!METHODS.includes(verb)) throw invalid(`method: one of ${METHODS.join(', ')}: the token travels in the body`)
  if (!isMap(body)) throw invalid('body: a map: the token is put into it, as `callback`')
  if (Object.hasOwn(body, 'callback')) throw invalid('body.callback: this is where the token is put')
  return { ...more, method: verb, body: { ...body, callback } }
}

/** What the outside is given: the token, and where to answer. */
const callbackOf = (token: string, publicUrl: string): Json => {
  const at = (verb: string): string => `${publicUrl}/v1/tasks/${token}/${verb}`
  return { token, complete: at('complete'), fail: at('fail'), heartbeat: at('heartbeat') }
}

/**
 * Tells the outside. A 2xx means that it was taken, whatever else the answer says.
 * @throws TaskFailure, or an error of the egress
 */
export const tellCallback = async (
  egress: Egress,
  callbacks: Callbacks,
  { ref, ...call }: HttpCall & { ref: CallbackRef },
): Promise<void> => {
  const token = callbackToken(await callbacks.secret(), ref)
  const input = requestOf(call.input, callbackOf(token, callbacks.publicUrl))
  // whatever the work does: that it was told of twice must be seen, so the key always goes along
  const effect = call.effect === 'read' ? 'idempotent' : call.effect
  await sendHttp(egress, { ...call, input, effect })
}
