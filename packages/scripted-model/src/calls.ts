// One model call from its arrival to its end: read, let in by the limits, written down, answered.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerTo } from './answering/answer.ts'
import { DirectiveError } from './answering/bracket.ts'
import type { Answer, Script, ScriptedError, ScriptRequest } from './answering/script.ts'
import { type Counters, count, faultKey } from './counters.ts'
import { hashOf } from './json.ts'
import type { Ledger, LedgerLine } from './ledger.ts'
import type { Admission, Limits } from './limits.ts'
import { type Call, checkAnswer, play, sendJson } from './play.ts'
import { type Protocol, RequestError } from './protocols/protocol.ts'
import { arrivedOf, effectKeyOf, header, namesOf, readBody, scriptRequest } from './request.ts'
import type { Rules, Told } from './rules.ts'

/** What all calls of a server share. */
export interface Context {
  ledger: Ledger
  script: Script | undefined
  latencyMs: number
  counters: Counters
  rules: Rules
  /** Rules that come before everything else. */
  outages: Rules
  limits: Limits
}

interface Chosen {
  answer: Answer
  /** What goes into the ledger: the directive that was played, the rule that spoke. */
  why: Pick<LedgerLine, 'fault' | 'rule' | 'scope'>
}

/** An outage comes first, then the script, then the rules, then the directives of the prompt. */
const choose = (request: ScriptRequest, protocol: Protocol, context: Context): Chosen => {
  const call = { ...request, key: request.effectKey }
  const outage = context.outages.take('model', call)
  const scripted = outage ? null : (context.script?.(request) ?? null)
  if (scripted !== null && typeof scripted !== 'string') {
    checkAnswer(protocol, scripted)
    return { answer: scripted, why: {} }
  }
  const told: Told | null = outage ?? (scripted === null ? context.rules.take('model', call) : null)
  const words = scripted ?? told?.directives
  let fault: string | null = null
  const answer = answerTo(request, words === undefined ? [] : [words], (effectKey, directive, times) => {
    const key = faultKey(effectKey, directive)
    if (times !== undefined && (context.counters.faults.get(key) ?? 0) >= times) return false
    count(context.counters.faults, key)
    fault = directive
    return true
  })
  checkAnswer(protocol, answer)
  return {
    answer,
    why: { ...(fault === null ? {} : { fault }), ...(told ? { rule: told.rule, scope: told.scope } : {}) },
  }
}

const lineOf = (context: Context, protocol: Protocol, incoming: IncomingMessage, body: string): LedgerLine => ({
  kind: 'model',
  n: context.counters.nextNumber(),
  atMs: Date.now(),
  protocol: protocol.name,
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

const tooMuch = ({ measure, retryAfterSeconds }: NonNullable<Admission['refused']>): Chosen => ({
  answer: { type: 'known_error', kind: 'rate_limited', retryAfterSeconds, latencyMs: 0 },
  why: { fault: `limit=${measure}` },
})

const refusalOf = (error: unknown): ScriptedError => {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof DirectiveError) return { status: 400, message }
  if (!(error instanceof RequestError)) return { status: 500, message }
  const { status, errorType, code } = error
  return { status, message, ...(errorType === undefined ? {} : { errorType }), ...(code === undefined ? {} : { code }) }
}

/** Answers a request that is wrong, or that found a bug, in the words of the protocol. */
export const refuse = (response: ServerResponse, protocol: Protocol, error: unknown): void => {
  if (response.headersSent) return void response.destroy()
  const refused = refusalOf(error)
  const headers = { 'x-scripted': '1', ...protocol.headers('req_refused'), ...protocol.errorHeaders(refused) }
  sendJson(response, refused.status, protocol.errorBody(refused, 'req_refused'), headers)
}

/** One call; throws for a request that is refused, after it was written down. */
export const takeCall = async (
  protocol: Protocol,
  incoming: IncomingMessage,
  response: ServerResponse,
  context: Context,
): Promise<void> => {
  const { counters, ledger, latencyMs } = context
  const body = await readBody(incoming)
  const base = lineOf(context, protocol, incoming, body)
  let admission: Admission | null = null
  let outputTokens = 0
  try {
    const asked = protocol.read(arrivedOf(incoming, body))
    const request = scriptRequest(
      incoming,
      { protocol: protocol.name, asked, body },
      {
        call: (key) => count(counters.calls, key),
        modelCall: (model) => count(counters.modelCalls, model),
      },
    )
    admission = context.limits.admit(asked.model, asked.inputTokens)
    const { answer, why } = admission.refused ? tooMuch(admission.refused) : choose(request, protocol, context)
    const line: LedgerLine = { ...base, model: request.model, turn: request.turn, ...why }
    const limits = protocol.limitHeaders(admission.state)
    const requestId = `req_${randomUUID().replaceAll('-', '').slice(0, 24)}`
    await ledger.append(line)
    const call: Call = { protocol, request, line, response, requestId, ledger, latencyMs, limits }
    outputTokens = (await play(call, answer)).outputTokens
  } catch (error) {
    const { status, message } = refusalOf(error)
    if (status !== 500) await ledger.append({ ...base, outcome: 'rejected', status, text: message.slice(0, 200) })
    throw error
  } finally {
    admission?.release(outputTokens)
  }
}
