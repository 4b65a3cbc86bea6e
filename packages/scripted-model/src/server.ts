// The HTTP server: finds out who a call is for (a protocol, the effects, the script), and answers it.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { DirectiveError } from './answering/bracket.ts'
import type { ProtocolName, Script } from './answering/script.ts'
import { type Context, refuse, takeCall } from './calls.ts'
import { Control, type Outage } from './control.ts'
import { isControlPath, takeControl } from './control-http.ts'
import { countersOf } from './counters.ts'
import { type EffectContext, isEffectPath, takeEffect } from './effects/effects.ts'
import { Replays } from './effects/replays.ts'
import { type EffectEntry, Ledger, type LedgerEntry, readEffects, readLedger } from './ledger.ts'
import { type Limit, type LimitReport, Limits } from './limits.ts'
import { sendJson } from './play.ts'
import { RequestError } from './protocols/protocol.ts'
import { protocolFor, protocolTaking } from './protocols/protocols.ts'
import { urlOf } from './request.ts'
import { type Rule, Rules } from './rules.ts'

export interface ScriptedModelOptions {
  /** 0 or absent: any free port. */
  port?: number
  /** Address to listen on; loopback unless a container needs another. */
  host?: string
  /** A file of JSON lines; appended to when it exists. */
  ledger: string
  script?: Script
  /** Set when the server starts, in this order. */
  rules?: readonly Rule[]
  limits?: readonly Limit[]
  /** Milliseconds before every answer that names none. */
  latencyMs?: number
}

export interface ScriptedModel {
  /** What ANTHROPIC_BASE_URL is set to. */
  url: string
  /** What each SDK takes as its base URL, and where the tools' effects are. */
  urls: Readonly<Record<ProtocolName | 'effects', string>>
  port: number
  ledger: string
  /** One entry for each model call, read from the ledger file. */
  calls(): LedgerEntry[]
  /** One entry for each call of the effect server. */
  effects(): EffectEntry[]
  /** Takes the place of a rule with the same id. Throws ZodError for what is no rule. */
  setRule(rule: Rule): void
  /** False when there was none. */
  deleteRule(id: string): boolean
  /** Faults for all calls of a model, until it is switched off again. */
  outage(outage: Outage): void
  /** Takes the place of a limit for the same model, and counts anew. */
  setLimit(limit: Limit): void
  /** The limits, and what each has seen since it was set. */
  limits(): LimitReport[]
  /** No rules, outages or limits any more; the ledger stays. */
  reset(): void
  /** Closes the port and every open connection; more than once does no harm. */
  stop(): Promise<void>
}

interface Doors {
  models: Context
  effects: EffectContext
  control: Control
  ledger: string
}

const route = async (incoming: IncomingMessage, response: ServerResponse, doors: Doors): Promise<void> => {
  const path = urlOf(incoming).pathname
  if (path === '/healthz' && incoming.method === 'GET') return sendJson(response, 200, { status: 'ok' })
  if (isControlPath(path)) return takeControl(incoming, response, doors.control, doors.ledger)
  if (isEffectPath(path)) return takeEffect(incoming, response, doors.effects)
  const protocol = protocolTaking(path)
  if (!protocol) throw new RequestError(404, `there is no ${path} here`)
  if (incoming.method !== 'POST') throw new RequestError(405, 'POST only')
  await takeCall(protocol, incoming, response, doors.models)
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

const doorsOf = async (options: ScriptedModelOptions): Promise<Doors> => {
  const ledger = await Ledger.open(options.ledger)
  const calls = readLedger(options.ledger)
  const effects = readEffects(options.ledger)
  const rules = new Rules()
  for (const { rule, scope } of [...calls, ...effects])
    if (rule !== undefined && scope !== undefined) rules.restore(rule, scope)
  for (const rule of options.rules ?? []) rules.set(rule)
  const limits = new Limits()
  for (const limit of options.limits ?? []) limits.set(limit)
  const shared = { ledger, rules, counters: countersOf(calls, effects), latencyMs: options.latencyMs ?? 0 }
  const models: Context = { ...shared, script: options.script, outages: new Rules(), limits }
  return {
    models,
    effects: { ...shared, replays: Replays.of(effects) },
    control: new Control(models, options.ledger),
    ledger: options.ledger,
  }
}

const urlsOf = (url: string): ScriptedModel['urls'] => ({
  anthropic: url,
  openai: `${url}/v1`,
  gemini: url,
  effects: `${url}/effects`,
})

const refuseAny = (incoming: IncomingMessage, response: ServerResponse, error: unknown): void => {
  const path = urlOf(incoming).pathname
  if (!isEffectPath(path)) {
    refuse(response, protocolFor(path), error)
    return
  }
  if (response.headersSent) return void response.destroy()
  const status = error instanceof DirectiveError ? 400 : error instanceof RequestError ? error.status : 500
  sendJson(response, status, { error: error instanceof Error ? error.message : String(error) })
}

/** Starts the server. Throws when the port is taken, the ledger cannot be written or a rule cannot be read. */
export const startScriptedModel = async (options: ScriptedModelOptions): Promise<ScriptedModel> => {
  const doors = await doorsOf(options)
  const running = new Set<Promise<void>>()
  const server = createServer((incoming, response) => {
    const work = route(incoming, response, doors).catch((error: unknown) => refuseAny(incoming, response, error))
    running.add(work)
    void work.finally(() => running.delete(work))
  })
  const host = options.host ?? '127.0.0.1'
  const port = await listen(server, options.port ?? 0, host)
  const url = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`
  const { control } = doors
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
    await Promise.all(running)
    await doors.models.ledger.close()
  }
  let stopping: Promise<void> | null = null
  return {
    url,
    urls: urlsOf(url),
    port,
    ledger: options.ledger,
    calls: () => control.calls(),
    effects: () => control.effects(),
    setRule: (rule) => void control.setRule(rule),
    deleteRule: (id) => control.deleteRule(id),
    outage: (outage) => control.outage(outage),
    setLimit: (limit) => void control.setLimit(limit),
    limits: () => control.limits(),
    reset: () => control.reset(),
    stop: () => {
      stopping ??= stop()
      return stopping
    },
  }
}
