// Answers to callbacks, by token: complete, fail, heartbeat. Who has the token may answer; it says run, step and attempt.
import { type CallbackAnswer, type Carrier, failureClassSchema, failureCodes, jsonSchema } from '@stepfleet/contracts'
import { type CallbackRef, readCallbackToken } from '@stepfleet/runtime'
import { z } from 'zod'
import { RUN_BODY_LIMIT, writeHeadersSchema } from './bodies.ts'
import { type Call, type CommandBase, commandResponses, sendCommand } from './commands.ts'
import { type CallHeaders, type Door, type HttpContext, storePayload } from './context.ts'
import { Rejection } from './problems.ts'

const SMALL_BODY_LIMIT = 1024 * 1024

/** What a token looks like is judged by the handler: a wrong one is unknown (404), not a bad request. */
const paramsSchema = z.object({ token: z.string().describe('As the callback was told it, or as the step shows it.') })

export const failBodySchema = z
  .strictObject({
    code: z.enum(failureCodes).default('tool_failed').describe('One of the failure codes.'),
    message: z.string().min(1).max(2_000).describe('What went wrong, for people.'),
    retryable: z.boolean().optional().describe('true: `class` transient; false: permanent.'),
    class: failureClassSchema.optional().describe('Without it, and without `retryable`: that of the code.'),
    details: jsonSchema.optional(),
  })
  .refine((body) => body.retryable === undefined || body.class === undefined, 'name `retryable` or `class`, not both')

const heartbeatBodySchema = z.strictObject({}).nullish()

const BY = { kind: 'caller', id: 'callback' } as const

interface Request {
  headers: CallHeaders
  trace: Carrier | undefined
  params: { token: string }
  body: unknown
}
type MakeAnswer = (base: CommandBase) => CallbackAnswer | Promise<CallbackAnswer>

const refOf = async (context: HttpContext, token: string): Promise<CallbackRef> => {
  const ref = readCallbackToken(await context.callbackSecret(), token)
  if (ref) return ref
  throw new Rejection(
    'unknown_token',
    'this is no token of a callback here; it is taken as it was given, up to its end',
  )
}

/** The run's namespace is that of the token, whatever the caller's own is. */
const callOf = (request: Request, ref: CallbackRef, verb: string): Call => ({
  headers: { ...request.headers, 'x-stepfleet-namespace': ref.ns },
  trace: request.trace,
  run: ref.run,
  route: `tasks/${ref.startedAtMs}/${ref.path}.${ref.attempt}/${verb}`,
  body: request.body,
})

const answer = async (context: HttpContext, request: Request, verb: string, make: MakeAnswer) => {
  const ref = await refOf(context, request.params.token)
  const { path, attempt, startedAtMs } = ref
  return sendCommand(context, callOf(request, ref, verb), async (base) => ({
    ...base,
    ...{ type: 'callback', by: BY, path, attempt, startedAtMs },
    answer: await make(base),
  }))
}

const failureOf = (body: z.infer<typeof failBodySchema>): CallbackAnswer => {
  const { code, message, retryable, details } = body
  const ofRetryable = retryable === undefined ? undefined : retryable ? 'transient' : 'permanent'
  const said = body.class ?? ofRetryable
  const more = { ...(said === undefined ? {} : { class: said }), ...(details === undefined ? {} : { details }) }
  return { status: 'failed', code, message, ...more }
}

const schemaOf = (summary: string) => ({
  tags: ['tasks'],
  summary,
  headers: writeHeadersSchema,
  params: paramsSchema,
  response: commandResponses,
})

export const taskRoutes = (app: Door, context: HttpContext): void => {
  const small = { bodyLimit: SMALL_BODY_LIMIT }
  app.post(
    '/tasks/:token/complete',
    {
      bodyLimit: RUN_BODY_LIMIT,
      schema: { ...schemaOf('Complete a callback; the body is the output of its step'), body: jsonSchema.nullish() },
    },
    async (request, reply) => {
      const value = request.body ?? null
      const said = await answer(context, request, 'complete', async (base) => ({
        status: 'completed',
        output: await storePayload(context, base, value, 'output'),
      }))
      return reply.code(said.code).send(said.body)
    },
  )
  app.post(
    '/tasks/:token/fail',
    { ...small, schema: { ...schemaOf('Fail the attempt of a callback'), body: failBodySchema } },
    async (request, reply) => {
      const said = await answer(context, request, 'fail', () => failureOf(request.body))
      return reply.code(said.code).send(said.body)
    },
  )
  app.post(
    '/tasks/:token/heartbeat',
    {
      ...small,
      schema: { ...schemaOf('Say that a callback is worked on: its timeout starts anew'), body: heartbeatBodySchema },
    },
    async (request, reply) => {
      const said = await answer(context, request, 'heartbeat', () => ({ status: 'alive' }))
      return reply.code(said.code).send(said.body)
    },
  )
}
