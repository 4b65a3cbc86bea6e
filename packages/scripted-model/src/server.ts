// The HTTP server: takes a call, writes it into the ledger, plays the answer, and writes how it ended before its last byte.

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerTo } from './answer.ts'
import { DirectiveError } from './directives.ts'
import { hashOf } from './json.ts'
import { Ledger, type LedgerEntry, type LedgerLine, readLedger } from './ledger.ts'
import { errorBody, errorTypeOf } from './protocol.ts'
import { lastEvent, overloadedEvent, type Reply, replyOf, wholeMessage, writeEvents } from './reply.ts'
import { effectKeyOf, header, RequestError, readBody, scriptRequest } from './request.ts'
import type { Answer, MessageAnswer, Script, ScriptRequest } from './script.ts'

export interface ScriptedModelOptions {
  /** 0 or absent: any free port. */
  port?: number
  /** Address to listen on; loopback unless a container needs another. */
  host?: string
  /** A file of JSON lines; appended to when it exists. */
  ledger: string
  script?: Script
  /** Milliseconds before every answer that names none. */
  latencyMs?: number
}

export interface ScriptedModel {
  /** What ANTHROPIC_BASE_URL is set to. */
  url: string
  port: number
  ledger: string
  /** One entry for each call, read from the ledger file. */
  calls(): LedgerEntry[]
  /** Closes the port and every open connection. */
  stop(): Promise<void>
}

interface Context {
  ledger: Ledger
  script: Script | undefined
  latencyMs: number
  nextNumber: () => number
  /** Calls per effect key. */
  calls: Map<string, number>
  /** Faults played, per effect key and directive. */
  faults: Map<string, number>
}

/** A call that reached the ledger. */
interface Call {
  request: ScriptRequest
  line: LedgerLine
  response: ServerResponse
  requestId: string
  context: Context
}

const TASK_ID = /^([A-Za-z0-9_-]+)~([A-Za-z0-9_-]+)\.(.+)\.(\d+)\.(\d+)$/

const namesOf = (task: string | null): Partial<LedgerLine> => {
  const [whole, ns = '', run = '', step = '', attempt = '', delivery = ''] = TASK_ID.exec(task ?? '') ?? []
  return whole === undefined ? {} : { ns, run, step, attempt: Number(attempt), delivery: Number(delivery) }
}

const count = (map: Map<string, number>, key: string): number => {
  const before = map.get(key) ?? 0
  map.set(key, before + 1)
  return before
}

const faultKey = (effectKey: string, directive: string): string => `${effectKey} ${directive}`

/** Chooses the answer; `fault` is the directive that was played. */
const choose = (request: ScriptRequest, context: Context): { answer: Answer; fault: string | null } => {
  const scripted = context.script?.(request) ?? null
  if (scripted) return { answer: scripted, fault: null }
  let fault: string | null = null
  const answer = answerTo(request, (effectKey, directive, times) => {
    const key = faultKey(effectKey, directive)
    if (times !== undefined && (context.faults.get(key) ?? 0) >= times) return false
    count(context.faults, key)
    fault = directive
    return true
  })
  return { answer, fault }
}

const headersOf = (requestId: string): Record<string, string> => ({ 'request-id': requestId, 'x-scripted': '1' })

const sendJson = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string>): void => {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
  })
  response.end(text)
}

/** The second line of a call. */
const close = (call: Call, outcome: LedgerLine['outcome'], more: Partial<LedgerLine> = {}): Promise<void> =>
  call.context.ledger.append({ ...call.line, ...more, atMs: Date.now(), outcome })

const gone = (response: ServerResponse): Promise<void> =>
  response.destroyed ? Promise.resolve() : new Promise((resolve) => response.once('close', () => resolve()))

const playFault = async (call: Call, answer: MessageAnswer, reply: Reply): Promise<void> => {
  const { response } = call
  const paid = { status: 200, inputTokens: reply.usage.inputTokens }
  if (answer.fault === 'silence') {
    await gone(response)
    return close(call, 'aborted', paid)
  }
  await close(call, answer.fault === 'overloaded' ? 'failed' : 'cut', paid)
  if (answer.fault === 'overloaded') response.end(overloadedEvent(call.requestId))
  else if (answer.fault === 'end') response.end()
  else response.destroy()
}

const playMessage = async (call: Call, answer: MessageAnswer): Promise<void> => {
  const { request, response } = call
  const reply = replyOf(request, answer)
  const paid = {
    status: 200,
    inputTokens: reply.usage.inputTokens,
    outputTokens: reply.usage.outputTokens,
    text: reply.text.slice(0, 200),
  }
  if (request.body.stream !== true) {
    const body = wholeMessage(request, reply)
    await close(call, 'answered', paid)
    return sendJson(response, 200, body, headersOf(call.requestId))
  }
  response.writeHead(200, {
    ...headersOf(call.requestId),
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
  })
  const share = answer.fault ? 0.5 : 1
  const there = await writeEvents(response, request, reply, { share, chunkMs: answer.chunkMs ?? 0 })
  if (!there) return close(call, 'aborted', paid)
  if (answer.fault) return playFault(call, answer, reply)
  await close(call, 'answered', paid)
  response.end(lastEvent)
}

const play = async (call: Call, answer: Answer): Promise<void> => {
  const { response, requestId } = call
  const latencyMs = answer.latencyMs ?? call.context.latencyMs
  if (latencyMs > 0) await sleep(latencyMs)
  if (response.destroyed) return close(call, 'aborted')
  switch (answer.type) {
    case 'message':
      return playMessage(call, answer)
    case 'error': {
      await close(call, 'failed', { status: answer.status })
      const retry: Record<string, string> =
        answer.retryAfterSeconds === undefined ? {} : { 'retry-after': String(answer.retryAfterSeconds) }
      const body = errorBody(answer.errorType ?? errorTypeOf(answer.status), answer.message, requestId)
      return sendJson(response, answer.status, body, { ...headersOf(requestId), ...retry })
    }
    case 'silence':
      await gone(response)
      return close(call, 'aborted')
    case 'reset':
      await close(call, 'cut')
      response.destroy()
  }
}

const lineOf = (context: Context, incoming: IncomingMessage, body: string): LedgerLine => ({
  n: context.nextNumber(),
  atMs: Date.now(),
  model: '',
  ...namesOf(header(incoming, 'x-stepfleet-task')),
  key: effectKeyOf(incoming, body),
  requestHash: hashOf(body).slice(0, 16),
  turn: 0,
  outcome: 'begun',
  status: 0,
  inputTokens: 0,
  outputTokens: 0,
})

const take = async (incoming: IncomingMessage, response: ServerResponse, context: Context): Promise<void> => {
  const requestId = `req_${randomUUID().replaceAll('-', '').slice(0, 24)}`
  const body = await readBody(incoming)
  const base = lineOf(context, incoming, body)
  try {
    const request = scriptRequest(incoming, body, (key) => count(context.calls, key))
    const { answer, fault } = choose(request, context)
    const line: LedgerLine = { ...base, model: request.model, turn: request.turn, ...(fault === null ? {} : { fault }) }
    await context.ledger.append(line)
    await play({ request, line, response, requestId, context }, answer)
  } catch (error) {
    if (error instanceof RequestError || error instanceof DirectiveError)
      await context.ledger.append({
        ...base,
        outcome: 'rejected',
        status: statusOf(error),
        text: error.message.slice(0, 200),
      })
    throw error
  }
}

const statusOf = (error: unknown): number => {
  if (error instanceof RequestError) return error.status
  return error instanceof DirectiveError ? 400 : 500
}

const refuse = (response: ServerResponse, error: unknown): void => {
  const status = statusOf(error)
  const message = error instanceof Error ? error.message : String(error)
  if (response.headersSent) return void response.destroy()
  sendJson(response, status, errorBody(errorTypeOf(status), message, 'req_refused'), headersOf('req_refused'))
}

const route = async (incoming: IncomingMessage, response: ServerResponse, context: Context): Promise<void> => {
  const path = (incoming.url ?? '/').split('?')[0]
  if (path === '/healthz' && incoming.method === 'GET') return sendJson(response, 200, { status: 'ok' }, {})
  if (path !== '/v1/messages')
    throw new RequestError(404, `there is no ${path} here: this server speaks POST /v1/messages`)
  if (incoming.method !== 'POST') throw new RequestError(405, 'POST only')
  await take(incoming, response, context)
}

const listen = (server: Server, port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      if (address && typeof address === 'object') resolve(address.port)
      else reject(new Error('the server has no port'))
    })
  })

const contextOf = async (options: ScriptedModelOptions): Promise<Context> => {
  const ledger = await Ledger.open(options.ledger)
  const context: Context = {
    ledger,
    script: options.script,
    latencyMs: options.latencyMs ?? 0,
    nextNumber: () => 0,
    calls: new Map(),
    faults: new Map(),
  }
  // what the ledger tells of earlier lives counts: a fault with `times=1` does not happen again after a restart
  let last = 0
  for (const entry of readLedger(options.ledger)) {
    last = Math.max(last, entry.n)
    count(context.calls, entry.key)
    if (entry.fault !== undefined) count(context.faults, faultKey(entry.key, entry.fault))
  }
  context.nextNumber = () => ++last
  return context
}

/** Starts the server. Throws when the port is taken or the ledger cannot be written. */
export const startScriptedModel = async (options: ScriptedModelOptions): Promise<ScriptedModel> => {
  const context = await contextOf(options)
  const running = new Set<Promise<void>>()
  const server = createServer((incoming, response) => {
    const work = route(incoming, response, context).catch((error: unknown) => refuse(response, error))
    running.add(work)
    void work.finally(() => running.delete(work))
  })
  const host = options.host ?? '127.0.0.1'
  const port = await listen(server, options.port ?? 0, host)
  return {
    url: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`,
    port,
    ledger: options.ledger,
    calls: () => readLedger(options.ledger),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
      await Promise.all(running)
      await context.ledger.close()
    },
  }
}
