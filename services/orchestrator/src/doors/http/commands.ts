// Commands on a run: cancel, pause, resume, signal; and how any command is sent and its verdict answered.
import {
  type Actor,
  allSteps,
  type Carrier,
  type Command,
  type Definition,
  type Json,
  jsonSchema,
  type ProblemError,
} from '@stepfleet/contracts'
import { canonicalJson } from '@stepfleet/engine'
import type { RunHead } from '../../store/port.ts'
import {
  appliedSchema,
  budgetBodySchema,
  cancelBodySchema,
  problemResponses,
  queuedSchema,
  RUN_BODY_LIMIT,
  reasonBodySchema,
  runParamsSchema,
  signalParamsSchema,
  writeHeadersSchema,
} from './bodies.ts'
import {
  type CallHeaders,
  type Door,
  type HttpContext,
  headOf,
  namespaceOf,
  randomId,
  sha256,
  storePayload,
} from './context.ts'
import { isProblemCode, Rejection } from './problems.ts'

/** How long the API waits for the engine's verdict before it answers 202. */
export const VERDICT_WAIT_MS = 2_000
const SMALL_BODY_LIMIT = 64 * 1024
const tags = ['runs']

export const commandResponses = { 200: appliedSchema, 202: queuedSchema, ...problemResponses }

/** A call that asks a run to change. */
export interface Call {
  headers: CallHeaders
  /** Of the request's span. */
  trace: Carrier | undefined
  run: string
  /** What is asked, with the step or signal: part of what makes a repeat a repeat. */
  route: string
  body: unknown
}
export interface CommandBase {
  id: string
  ns: string
  run: string
  trace: Carrier | undefined
}

export const operator = (by: string | undefined): Actor => ({ kind: 'operator', id: by ?? 'api' })

/**
 * Per key, run, route and body, so that a repeat is the same command, and one key used for two different calls is
 * two commands.
 */
const commandId = (ns: string, call: Call): string => {
  const key = call.headers['idempotency-key']
  if (key === undefined) return `api.${randomId()}`
  // a parsed body is JSON, or absent
  const body = (call.body ?? null) as Json
  return `key.${sha256(canonicalJson([ns, call.run, call.route, key, body])).slice(0, 40)}`
}

type Answer = { code: 200; body: { applied: true; seq: number } } | { code: 202; body: { queued: true } }

const hintOf = (code: string): string =>
  code === 'unknown_step' ? ' (a step path is one percent-encoded segment: search%5B3%5D, work%2Fturn-1%2Fllm)' : ''

/**
 * Sends a command and answers with the engine's verdict, or 202 when none came in time. `make` gets the head of the
 * run, which is there. Throws `unknown_run`, or what the engine refused it for.
 */
export const sendCommand = async (
  context: HttpContext,
  call: Call,
  make: (base: CommandBase, head: RunHead) => Promise<Command> | Command,
): Promise<Answer> => {
  const ns = namespaceOf(call.headers)
  const head = await headOf(context, ns, call.run)
  const base = { id: commandId(ns, call), ns, run: call.run, trace: call.trace }
  const verdict = await context.mailbox.ask(await make(base, head), VERDICT_WAIT_MS)
  if (verdict === null) return { code: 202, body: { queued: true } }
  if (verdict.status === 'applied') return { code: 200, body: { applied: true, seq: verdict.seq } }
  if (!isProblemCode(verdict.code)) throw new Error(`the engine refused with a code that is none: ${verdict.code}`)
  throw new Rejection(verdict.code, `${verdict.message}${hintOf(verdict.code)}`)
}

/** The definition a run was made of. */
export const definitionOfRun = async (context: HttpContext, head: RunHead): Promise<Definition> => {
  const definition = await context.store.byRef(head.ns, head.workflow)
  if (definition === null) throw new Error(`the definition of run ${head.run} is gone`)
  return context.definitions.stored(head.workflow.hash, definition)
}

const checkSignal = (context: HttpContext, definition: Definition, name: string, payload: Json): void => {
  const declared = allSteps(definition.steps).flatMap(({ step: { signal } }) => {
    if (signal === undefined) return []
    return [typeof signal === 'string' ? { name: signal, schema: undefined } : signal]
  })
  const errors: ProblemError[] = []
  for (const one of declared) {
    if (one.name !== name) continue
    // several steps may wait for one name: it is enough that one of them can take it
    if (one.schema === undefined) return
    const found = context.schemas.check(one.schema, payload, 'payload')
    if (found.length === 0) return
    errors.push(...found)
  }
  if (errors.length > 0)
    throw new Rejection('invalid_input', `the payload does not fit the schema of the signal ${name}`, { errors })
}

const signalRoute = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs/:id/signals/:name',
    {
      bodyLimit: RUN_BODY_LIMIT,
      schema: {
        tags,
        summary: 'Send a signal; the body is its payload',
        headers: writeHeadersSchema,
        params: signalParamsSchema,
        body: jsonSchema.nullish(),
        response: commandResponses,
      },
    },
    async (request, reply) => {
      const { id, name } = request.params
      const value = request.body ?? null
      const call = { headers: request.headers, trace: request.trace, run: id, route: `signals/${name}`, body: value }
      const answer = await sendCommand(context, call, async (base, head) => {
        checkSignal(context, await definitionOfRun(context, head), name, value)
        const payload = await storePayload(context, base, value, 'payload')
        return { ...base, type: 'signal', name, payload, by: { kind: 'caller', id: 'api' } }
      })
      return reply.code(answer.code).send(answer.body)
    },
  )
}

const budgetRoute = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs/:id/budget',
    {
      bodyLimit: SMALL_BODY_LIMIT,
      schema: {
        tags,
        summary: 'Set new caps of a run: steps that the old ones stopped are tried again',
        headers: writeHeadersSchema,
        params: runParamsSchema,
        body: budgetBodySchema,
        response: commandResponses,
      },
    },
    async (request, reply) => {
      const { body } = request
      const { by, reason, ...budget } = body
      const call = { headers: request.headers, trace: request.trace, run: request.params.id, route: 'budget', body }
      const answer = await sendCommand(context, call, async (base, head) => {
        if ((budget.usd ?? budget.per_day?.usd) !== undefined) {
          const errors = context.definitions.unpriced(await definitionOfRun(context, head))
          if (errors.length > 0)
            throw new Rejection('bad_request', 'a budget in dollars cannot hold for models without a price', { errors })
        }
        return { ...base, type: 'budget', by: operator(by), reason, budget }
      })
      return reply.code(answer.code).send(answer.body)
    },
  )
}

const SUMMARIES = {
  cancel: 'Cancel a run: what it has done is undone first, unless `compensate` is false',
  pause: 'Pause a run: nothing new is started until it is resumed',
  resume: 'Resume a paused run',
} as const

export const commandRoutes = (app: Door, context: HttpContext): void => {
  for (const type of ['cancel', 'pause', 'resume'] as const) {
    app.post(
      `/runs/:id/${type}`,
      {
        bodyLimit: SMALL_BODY_LIMIT,
        schema: {
          tags,
          summary: SUMMARIES[type],
          headers: writeHeadersSchema,
          params: runParamsSchema,
          body: type === 'cancel' ? cancelBodySchema : reasonBodySchema,
          response: commandResponses,
        },
      },
      async (request, reply) => {
        const { body } = request
        const { by, reason } = body ?? {}
        const compensate = type === 'cancel' ? cancelBodySchema.parse(body)?.compensate : undefined
        const call = { headers: request.headers, trace: request.trace, run: request.params.id, route: type, body }
        const answer = await sendCommand(context, call, (base) => {
          const about = { ...base, by: operator(by), reason }
          if (type !== 'cancel') return { ...about, type }
          return { ...about, type, ...(compensate === undefined ? {} : { compensate }) }
        })
        return reply.code(answer.code).send(answer.body)
      },
    )
  }
  budgetRoute(app, context)
  signalRoute(app, context)
}
