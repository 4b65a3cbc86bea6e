// Runs: submit, list, read, their journal and their result.

import {
  batchResultSchema,
  hasEnded,
  type RunView,
  runSummarySchema,
  runViewSchema,
  submitRunSchema,
} from '@stepfleet/contracts'
import { summaryOf } from '../../views/summary.ts'
import { runBatch } from './batch.ts'
import {
  batchBodySchema,
  HANDWRITTEN,
  headersSchema,
  journalPageSchema,
  journalQuerySchema,
  problemResponses,
  RUN_BODY_LIMIT,
  resultSchema,
  runOrViewSchema,
  runPageSchema,
  runParamsSchema,
  runsQuerySchema,
  timeMs,
  unfinishedSchema,
  waitQuerySchema,
  writeHeadersSchema,
} from './bodies.ts'
import { type Door, type HttpContext, headOf, namespaceOf } from './context.ts'
import { patience, waitForEnd, waitMsOf } from './plumbing/wait.ts'
import { Rejection } from './problems.ts'
import { refuseLater, submitRun } from './submit.ts'

const tags = ['runs']

const viewOf = async (context: HttpContext, ns: string, run: string): Promise<RunView> => {
  const view = await context.viewRun(ns, run)
  if (view) return view
  throw new Rejection('unknown_run', `there is no run ${run} in namespace ${ns}`)
}

/** Apart from the others: its body may be YAML. */
export const submitRoutes = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs',
    {
      bodyLimit: RUN_BODY_LIMIT,
      schema: {
        tags,
        summary: 'Submit a run of a workflow, or of a definition that comes along',
        description:
          '202 for a new run; 200 for the same run again, and, with `wait`, for a run that has ended in time: then with the whole run.',
        consumes: HANDWRITTEN,
        headers: writeHeadersSchema,
        querystring: waitQuerySchema,
        body: submitRunSchema,
        response: { 200: runOrViewSchema, 202: runSummarySchema, ...problemResponses },
      },
      preValidation: async (request) => refuseLater(request.body),
    },
    async (request, reply) => {
      const ns = namespaceOf(request.headers)
      const accepted = await submitRun(context, ns, request.body, {
        key: request.headers['idempotency-key'],
        trace: request.trace,
      })
      const { run } = accepted.head
      reply.header('location', `/v1/runs/${run}`)
      const waitMs = waitMsOf(request.query.wait)
      if (waitMs === 0) return reply.code(accepted.status).send(summaryOf(accepted.head))
      const head = await waitForEnd(() => headOf(context, ns, run), waitMs, patience(reply.raw, context.closing))
      if (!hasEnded(head.status)) return reply.code(202).send(summaryOf(head))
      return reply.code(200).send(await viewOf(context, ns, run))
    },
  )
}

const batchRoute = (app: Door, context: HttpContext): void => {
  app.post(
    '/runs/batch',
    {
      bodyLimit: RUN_BODY_LIMIT,
      schema: {
        tags,
        summary: 'Submit up to 1,000 runs; each is answered on its own, in order',
        headers: writeHeadersSchema,
        body: batchBodySchema,
        response: { 200: batchResultSchema, ...problemResponses },
      },
    },
    async (request) => {
      const key = request.headers['idempotency-key']
      return {
        results: await runBatch(context, namespaceOf(request.headers), request.body.runs, {
          key,
          trace: request.trace,
        }),
      }
    },
  )
}

/** `k:v` texts as a map; a label asked for with two values can never match, so the later one would lie. */
const labelsOf = (label: string | string[] | undefined): Record<string, string> | undefined => {
  if (label === undefined) return undefined
  const labels: Record<string, string> = {}
  for (const text of typeof label === 'string' ? [label] : label) {
    const cut = text.indexOf(':')
    const [name, value] = [text.slice(0, cut), text.slice(cut + 1)]
    if (labels[name] !== undefined && labels[name] !== value)
      throw new Rejection('bad_request', `no run has two values for the label ${name}`)
    labels[name] = value
  }
  return labels
}

const readRoutes = (app: Door, context: HttpContext): void => {
  app.get(
    '/runs',
    {
      schema: {
        tags,
        summary: 'Runs, newest first',
        headers: headersSchema,
        querystring: runsQuerySchema,
        response: { 200: runPageSchema, ...problemResponses },
      },
    },
    async (request) => {
      const { limit, cursor, status, workflow, label, since, until } = request.query
      const filter = { status, workflow, labels: labelsOf(label), sinceMs: timeMs(since), untilMs: timeMs(until) }
      const page = await context.store.list(namespaceOf(request.headers), filter, limit, cursor ?? null)
      return { items: page.items.map(summaryOf), cursor: page.cursor }
    },
  )
  app.get(
    '/runs/:id',
    {
      schema: {
        tags,
        summary: 'A run with its steps, attempts, cost, and why it waits',
        headers: headersSchema,
        params: runParamsSchema,
        response: { 200: runViewSchema, ...problemResponses },
      },
    },
    async (request) => {
      const ns = namespaceOf(request.headers)
      // a large run may take long to put together; whether it is there is known at once
      await headOf(context, ns, request.params.id)
      return viewOf(context, ns, request.params.id)
    },
  )
  app.get(
    '/runs/:id/journal',
    {
      schema: {
        tags,
        summary: 'The history of a run, paged by sequence',
        headers: headersSchema,
        params: runParamsSchema,
        querystring: journalQuerySchema,
        response: { 200: journalPageSchema, ...problemResponses },
      },
    },
    async (request) => {
      const ns = namespaceOf(request.headers)
      const { from, limit } = request.query
      const head = await headOf(context, ns, request.params.id)
      const events = await context.store.journal(ns, request.params.id, from, limit)
      const last = events.at(-1)
      return { events, next: last && last.seq < head.version ? last.seq + 1 : null }
    },
  )
}

const resultRoute = (app: Door, context: HttpContext): void => {
  app.get(
    '/runs/:id/result',
    {
      schema: {
        tags,
        summary: 'The output or the failure of a run; 202 while it has none',
        headers: headersSchema,
        params: runParamsSchema,
        querystring: waitQuerySchema,
        response: { 200: resultSchema, 202: unfinishedSchema, ...problemResponses },
      },
    },
    async (request, reply) => {
      const ns = namespaceOf(request.headers)
      const { id } = request.params
      const waitMs = waitMsOf(request.query.wait)
      const head = await waitForEnd(() => headOf(context, ns, id), waitMs, patience(reply.raw, context.closing))
      if (!hasEnded(head.status)) return reply.code(202).send({ status: head.status })
      const { status, output, failure, failedStep } = await viewOf(context, ns, id)
      if (status === 'completed') return reply.code(200).send({ status, output })
      if (status === 'failed' || status === 'cancelled') return reply.code(200).send({ status, failure, failedStep })
      return reply.code(202).send({ status })
    },
  )
}

export const runRoutes = (app: Door, context: HttpContext): void => {
  batchRoute(app, context)
  readRoutes(app, context)
  resultRoute(app, context)
}
