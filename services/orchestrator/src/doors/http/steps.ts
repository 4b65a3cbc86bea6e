// Commands on a step: retry, skip, override, approve, reject.
import {
  allSteps,
  type Carrier,
  type Definition,
  type Json,
  type ProblemError,
  stepPathSchema,
  turnOutputSchema,
} from '@stepfleet/contracts'
import { parsePath } from '@stepfleet/engine'
import type { JsonSchema } from '@stepfleet/schemas'
import {
  agentBudgetBodySchema,
  approveBodySchema,
  overrideBodySchema,
  RUN_BODY_LIMIT,
  reasonBodySchema,
  retryBodySchema,
  stepParamsSchema,
  writeHeadersSchema,
} from './bodies.ts'
import { type Call, commandResponses, definitionOfRun, operator, sendCommand } from './commands.ts'
import { type CallHeaders, type Door, type HttpContext, storePayload } from './context.ts'
import { errorsOfZod, Rejection } from './problems.ts'

const DECISION_BODY_LIMIT = 1024 * 1024
const tags = ['steps']

const pathOf = (text: string): string => {
  const path = stepPathSchema.safeParse(text)
  if (path.success) return path.data
  throw new Rejection(
    'unknown_step',
    `${JSON.stringify(text.slice(0, 200))} is not a step path; write it as one percent-encoded segment: search%5B3%5D, work%2Fturn-1%2Fllm`,
  )
}

/** The schema an output at this path has to fit, when the definition declares one. */
const outputSchemaAt = (definition: Definition, path: string): JsonSchema | null => {
  const { node, role } = parsePath(path)
  const step = allSteps(definition.steps).find(({ id }) => id === node)?.step
  const schema = step?.llm?.output ?? step?.agent?.output
  if (!step || schema === undefined || role === 'tool' || role === 'compensation') return null
  if (step.each === undefined || role !== 'step') return schema
  // all items at once; what another join gives of an item is not the step's own output
  const join = typeof step.each === 'string' ? 'all' : (step.each.join ?? 'all')
  return join === 'all' ? { type: 'array', items: schema } : null
}

const TURN = /\/turn-\d+\/llm$/

const outputErrors = (context: HttpContext, definition: Definition, path: string, output: Json): ProblemError[] => {
  if (TURN.test(path)) {
    // the next turn is built from it, so it has to have the shape of a model's turn
    const turn = turnOutputSchema.safeParse(output, { reportInput: true })
    return turn.success ? [] : errorsOfZod(turn.error, 'output', Object.keys(turnOutputSchema.shape))
  }
  const schema = outputSchemaAt(definition, path)
  return schema === null ? [] : context.schemas.check(schema, output, 'output')
}

interface StepRequest {
  headers: CallHeaders
  trace: Carrier | undefined
  params: { id: string; path: string }
  body: unknown
}

/** The path of a request on a step (throws `unknown_step`) and its call. */
const stepCall = (request: StepRequest, verb: string): { path: string; call: Call } => {
  const path = pathOf(request.params.path)
  const route = `steps/${path}/${verb}`
  return {
    path,
    call: { headers: request.headers, trace: request.trace, run: request.params.id, route, body: request.body },
  }
}

const decision = (body: { by?: string | undefined; reason?: string | undefined } | null | undefined) => ({
  by: operator(body?.by),
  reason: body?.reason,
})

const schemaOf = (summary: string) => ({
  tags,
  summary,
  headers: writeHeadersSchema,
  params: stepParamsSchema,
  response: commandResponses,
})

const overrideRoute = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs/:id/steps/:path/override',
    {
      bodyLimit: RUN_BODY_LIMIT,
      schema: { ...schemaOf('Give a step its output; it is not run (again)'), body: overrideBodySchema },
    },
    async (request, reply) => {
      const { path, call } = stepCall(request, 'override')
      const answer = await sendCommand(context, call, async (base, head) => {
        const value = request.body.output
        const errors = outputErrors(context, await definitionOfRun(context, head), path, value)
        if (errors.length > 0)
          throw new Rejection('output_invalid', `the output does not fit the schema of ${path}`, { errors })
        const output = await storePayload(context, base, value, 'output')
        return { ...base, ...decision(request.body), type: 'override', path, output }
      })
      return reply.code(answer.code).send(answer.body)
    },
  )
}

const retryRoutes = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs/:id/steps/:path/retry',
    {
      bodyLimit: DECISION_BODY_LIMIT,
      schema: { ...schemaOf('Try a failed step again, with another input or model if wanted'), body: retryBodySchema },
    },
    async (request, reply) => {
      const { path, call } = stepCall(request, 'retry')
      const { body } = request
      const answer = await sendCommand(context, call, (base) => ({
        ...base,
        ...decision(body),
        type: 'retry',
        path,
        edit: body?.edit,
      }))
      return reply.code(answer.code).send(answer.body)
    },
  )
  app.post(
    '/runs/:id/steps/:path/skip',
    { bodyLimit: DECISION_BODY_LIMIT, schema: { ...schemaOf('Skip a step'), body: reasonBodySchema } },
    async (request, reply) => {
      const { path, call } = stepCall(request, 'skip')
      const answer = await sendCommand(context, call, (base) => ({
        ...base,
        ...decision(request.body),
        type: 'skip',
        path,
      }))
      return reply.code(answer.code).send(answer.body)
    },
  )
}

const budgetRoute = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs/:id/steps/:path/budget',
    {
      bodyLimit: DECISION_BODY_LIMIT,
      schema: {
        ...schemaOf('Set new caps of an agent that has a budget: what the old ones stopped is tried again'),
        body: agentBudgetBodySchema,
      },
    },
    async (request, reply) => {
      const { path, call } = stepCall(request, 'budget')
      const { usd, tokens } = request.body
      const answer = await sendCommand(context, call, (base) => ({
        ...base,
        ...decision(request.body),
        type: 'budget',
        path,
        budget: { usd, tokens },
      }))
      return reply.code(answer.code).send(answer.body)
    },
  )
}

const approvalRoutes = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs/:id/steps/:path/approve',
    {
      bodyLimit: DECISION_BODY_LIMIT,
      schema: { ...schemaOf('Approve a step that asks, with edits if wanted'), body: approveBodySchema },
    },
    async (request, reply) => {
      const { path, call } = stepCall(request, 'approve')
      const { body } = request
      const answer = await sendCommand(context, call, (base) => ({
        ...base,
        ...decision(body),
        type: 'approve',
        path,
        approved: true,
        edits: body?.edits,
      }))
      return reply.code(answer.code).send(answer.body)
    },
  )
  app.post(
    '/runs/:id/steps/:path/reject',
    { bodyLimit: DECISION_BODY_LIMIT, schema: { ...schemaOf('Reject a step that asks'), body: reasonBodySchema } },
    async (request, reply) => {
      const { path, call } = stepCall(request, 'reject')
      const answer = await sendCommand(context, call, (base) => ({
        ...base,
        ...decision(request.body),
        type: 'approve',
        path,
        approved: false,
      }))
      return reply.code(answer.code).send(answer.body)
    },
  )
}

export const stepRoutes = (app: Door, context: HttpContext): void => {
  retryRoutes(app, context)
  overrideRoute(app, context)
  approvalRoutes(app, context)
  budgetRoute(app, context)
}
