// Reads a call off the connection: its body, its headers, who makes it, and what a script is told of it.
import type { IncomingMessage } from 'node:http'
import { schemaInPrompt } from './answering/prompt-schema.ts'
import type { Asked, ProtocolName, ScriptRequest } from './answering/script.ts'
import { hashOf } from './json.ts'
import { type Arrived, RequestError } from './protocols/protocol.ts'

const MAX_BODY_BYTES = 32 * 1024 * 1024

export const readBody = async (request: IncomingMessage): Promise<string> => {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request) {
    const part = Buffer.from(piece)
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) throw new RequestError(413, 'Request exceeds the maximum size')
    pieces.push(part)
  }
  return Buffer.concat(pieces).toString('utf8')
}

export const header = (request: IncomingMessage, name: string): string | null => {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value : null
}

export const urlOf = (request: IncomingMessage): URL => new URL(request.url ?? '/', 'http://localhost')

export const arrivedOf = (request: IncomingMessage, body: string): Arrived => {
  const url = urlOf(request)
  return { path: url.pathname, query: url.searchParams, header: (name) => header(request, name), body }
}

const TASK_ID = /^([A-Za-z0-9_-]+)~([A-Za-z0-9_-]+)\.(.+)\.(\d+)\.(\d+)$/

export interface Names {
  ns: string
  run: string
  step: string
  attempt: number
  delivery: number
}

/** What a task's name says, or null for a client that sends none. */
export const namesOf = (task: string | null): Names | null => {
  const [whole, ns = '', run = '', step = '', attempt = '', delivery = ''] = TASK_ID.exec(task ?? '') ?? []
  return whole === undefined ? null : { ns, run, step, attempt: Number(attempt), delivery: Number(delivery) }
}

/** The key faults and calls are counted by; a client that names none gets one from its request. */
export const effectKeyOf = (request: IncomingMessage, body: string): string =>
  header(request, 'x-stepfleet-effect-key') ?? `request:${hashOf(body).slice(0, 16)}`

const EFFECT_KEY = /^[^/]+\/([^/]+)\/(.+)$/

/** Run and step: from the task, or from the effect key, which names them too. */
export const placeOf = (names: Names | null, effectKey: string): { run: string | null; step: string | null } => {
  if (names) return { run: names.run, step: names.step }
  const [, run = null, step = null] = EFFECT_KEY.exec(effectKey) ?? []
  return { run, step }
}

export interface Counts {
  /** Calls with an effect key before this one; asking counts it. */
  call: (key: string) => number
  /** Calls of a model before this one; asking counts it. */
  modelCall: (model: string) => number
}

/** What a script is given. */
export const scriptRequest = (
  incoming: IncomingMessage,
  call: { protocol: ProtocolName; asked: Asked; body: string },
  counts: Counts,
): ScriptRequest => {
  const { asked, body, protocol } = call
  const effectKey = effectKeyOf(incoming, body)
  const task = header(incoming, 'x-stepfleet-task')
  return {
    ...asked,
    schema: asked.schema ?? schemaInPrompt(asked.system),
    protocol,
    effectKey,
    ...placeOf(namesOf(task), effectKey),
    task,
    call: counts.call(effectKey),
    modelCall: counts.modelCall(asked.model),
    hash: hashOf(body),
  }
}
