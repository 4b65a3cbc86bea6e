// Reads a call: headers and body of `POST /v1/messages` become what a script is given, or the reason to refuse it.
import type { IncomingMessage } from 'node:http'
import { schemaInPrompt } from './answer.ts'
import { hashOf, isObject, type Json, type JsonObject } from './json.ts'
import { type Block, blocksOf, type MessagesRequest, messagesRequestSchema, textOf } from './protocol.ts'
import { refusal } from './refuse.ts'
import type { ScriptedTool, ScriptRequest } from './script.ts'

const MAX_BODY_BYTES = 32 * 1024 * 1024

/** A refusal of the request itself. */
export class RequestError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

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

const parsed = (body: string): MessagesRequest => {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw new RequestError(400, 'The request body is not valid JSON')
  }
  const result = messagesRequestSchema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new RequestError(400, `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`)
}

const checkHeaders = (request: IncomingMessage): void => {
  if (!header(request, 'authorization')?.startsWith('Bearer ') && !header(request, 'x-api-key'))
    throw new RequestError(
      401,
      'authentication required: send Authorization: Bearer or x-api-key; any key will do here',
    )
  if (!header(request, 'anthropic-version')) throw new RequestError(400, 'anthropic-version: header is required')
}

const blocksIn = (body: MessagesRequest, role: string): Block[][] =>
  body.messages.filter((message) => message.role === role).map((message) => [...blocksOf(message.content)])

/** The text of the tool results in the last message. */
const newestResults = (body: MessagesRequest): string[] => {
  const last = body.messages.at(-1)
  if (last?.role !== 'user') return []
  return blocksOf(last.content)
    .filter((part) => part.type === 'tool_result')
    .map((part) => resultText(part.content))
}

const resultText = (content: Json | undefined): string => {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('\n')
}

const isSchema = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The key faults and calls are counted by; a client that names none gets one from its request. */
export const effectKeyOf = (request: IncomingMessage, body: string): string =>
  header(request, 'x-stepfleet-effect-key') ?? `request:${hashOf(body).slice(0, 16)}`

/** What a script is given; throws RequestError for what the API would refuse. `callOf` counts the calls of an effect key. */
export const scriptRequest = (
  request: IncomingMessage,
  body: string,
  callOf: (key: string) => number,
): ScriptRequest => {
  checkHeaders(request)
  const data = parsed(body)
  const why = refusal(data)
  if (why) throw new RequestError(400, why)
  const hash = hashOf(body)
  const assistant = blocksIn(data, 'assistant')
  const system = textOf(data.system)
  const effectKey = effectKeyOf(request, body)
  return {
    model: data.model,
    turn: assistant.length + 1,
    toolTurns: assistant.filter((blocks) => blocks.some((part) => part.type === 'tool_use')).length,
    system,
    prompt: blocksIn(data, 'user')
      .map(textOf)
      .filter((text) => text.trim() !== '')
      .join('\n'),
    toolResults: newestResults(data),
    tools: (data.tools ?? []).map(({ name, input_schema }): ScriptedTool => ({ name, schema: input_schema })),
    toolChoice: data.tool_choice?.type ?? 'auto',
    forcedTool: data.tool_choice?.name ?? null,
    schema: data.output_config?.format?.schema ?? schemaInPrompt(system, isSchema),
    maxTokens: data.max_tokens,
    stopSequences: data.stop_sequences ?? [],
    effectKey,
    task: header(request, 'x-stepfleet-task'),
    call: callOf(effectKey),
    hash,
    body: data,
  }
}
