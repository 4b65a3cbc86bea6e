// The effect server: `ANY /effects/…` plays the services that tools call. Each call is in the ledger before it is answered.
//
// An effect happens at the moment its line is on disk: a server that is killed after that has had the effect.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Counters, count, faultKey } from '../counters.ts'
import { hashOf } from '../json.ts'
import type { EffectLine, Ledger } from '../ledger.ts'
import { header, placeOf, readBody, urlOf } from '../request.ts'
import type { Rules, Told } from '../rules.ts'
import { answerEffect, type Played } from './answer.ts'
import { type EffectDirective, isFault, readEffectDirective, readEffectDirectives } from './directives.ts'
import type { Known, Replays, StoredReply } from './replays.ts'

export interface EffectContext {
  ledger: Ledger
  counters: Counters
  rules: Rules
  replays: Replays
  latencyMs: number
}

export const isEffectPath = (path: string): boolean => path === '/effects' || path.startsWith('/effects/')

interface Incoming {
  method: string
  url: URL
  headers: Record<string, string>
  body: string
  /** Idempotency key, effect key or a hash. */
  key: string
  /** Whether the client sent a key of its own. */
  keyed: boolean
  /** Of method, address and body. */
  hash: string
}

const BODY_CHARACTERS = 4_000

const headersOf = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  )

const read = async (request: IncomingMessage): Promise<Incoming> => {
  const method = request.method ?? 'GET'
  const url = urlOf(request)
  const body = await readBody(request)
  const given = header(request, 'idempotency-key')
  const hash = hashOf(`${method} ${url.pathname}${url.search}\n${body}`).slice(0, 16)
  const key = given ?? header(request, 'x-stepfleet-effect-key') ?? `request:${hash}`
  return { method, url, headers: headersOf(request), body, key, keyed: given !== null, hash }
}

interface Wanted {
  directive: EffectDirective
  fault: string | null
  told: Told | null
}

/** The first bracket with a fault that still happens, and what all others say of a whole answer. */
const wantedBy = (call: Incoming, { rules, counters }: EffectContext): Wanted => {
  const { key, method, url } = call
  const path = url.pathname
  const told = rules.take('effect', { ...placeOf(null, key), key, method, path })
  const query = url.searchParams.get('scripted')
  const all = [
    ...(told ? [readEffectDirective(told.directives)] : []),
    ...(query === null ? [] : [readEffectDirective(query)]),
    ...readEffectDirectives(call.body),
  ]
  const live = all.filter(
    ({ text, times }) => times === undefined || (counters.faults.get(faultKey(key, text)) ?? 0) < times,
  )
  const fault = live.find((each) => isFault(each) || each.times !== undefined)
  if (fault) count(counters.faults, faultKey(key, fault.text))
  const harmless = live.filter((each) => !isFault(each))
  const merged: EffectDirective = Object.assign({ text: '' }, ...harmless.reverse(), fault)
  return { directive: merged, fault: fault?.text ?? null, told }
}

const json = (status: number, body: unknown): StoredReply => ({ status, body: JSON.stringify(body) })

const HAS_NO_EFFECT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What happens, before the answer travels: whether there is an effect, and what is said. */
const decide = (call: Incoming, { fail, redirect, drop, applied, idempotent }: EffectDirective, known: Known) => {
  const acts = !HAS_NO_EFFECT.has(call.method)
  if (drop === 'before') return { applied: false, refusal: null, replay: null }
  if (fail !== undefined || redirect !== undefined)
    return { applied: acts && applied === true, refusal: null, replay: null }
  if (!idempotent || !call.keyed || known.type === 'new') return { applied: acts, refusal: null, replay: null }
  if (known.type === 'done') return { applied: false, refusal: null, replay: known }
  const refusal =
    known.type === 'open'
      ? json(409, { error: 'a request with this idempotency key is under way' })
      : json(422, { error: 'this idempotency key was used with another body' })
  return { applied: false, refusal, replay: null }
}

const padded = (bytes: number, body: Record<string, unknown>): string => {
  const bare = JSON.stringify({ ...body, padding: '' })
  return JSON.stringify({ ...body, padding: 'x'.repeat(Math.max(0, bytes - Buffer.byteLength(bare))) })
}

const replyOf = (n: number, key: string, directive: EffectDirective): StoredReply => {
  const { fail, redirect, status, say, bytes, malformed, message } = directive
  if (fail !== undefined) return json(fail, { error: message ?? `scripted failure ${fail}` })
  if (redirect !== undefined) return json(status ?? 307, { redirect })
  const body = { ok: true, effect: n, key }
  if (malformed) return { status: status ?? 200, body: '{"unfinished": "' }
  return { status: status ?? 200, body: say ?? (bytes === undefined ? JSON.stringify(body) : padded(bytes, body)) }
}

const lineOf = (call: Incoming, n: number): EffectLine => ({
  kind: 'effect',
  n,
  atMs: Date.now(),
  key: call.key,
  requestHash: call.hash,
  method: call.method,
  path: `${call.url.pathname}${call.url.search}`,
  headers: call.headers,
  body: call.body.slice(0, BODY_CHARACTERS),
  applied: false,
  outcome: 'begun',
  status: 0,
})

/** One call; throws DirectiveError after it was written down as rejected. */
export const takeEffect = async (
  request: IncomingMessage,
  response: ServerResponse,
  context: EffectContext,
): Promise<void> => {
  const { ledger, replays } = context
  const call = await read(request)
  const base = lineOf(call, context.counters.nextNumber())
  let wanted: Wanted
  try {
    wanted = wantedBy(call, context)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    await ledger.append({ ...base, outcome: 'rejected', status: 400, text })
    throw error
  }
  const { directive, fault, told } = wanted
  const decided = decide(call, directive, replays.known(call.key, call.hash))
  const reply = decided.refusal ?? decided.replay?.reply ?? replyOf(base.n, call.key, directive)
  const remembered = decided.applied && directive.idempotent === true && call.keyed
  if (remembered) replays.begin(call.key, base.n, call.hash)
  const line: EffectLine = {
    ...base,
    applied: decided.applied,
    ...(remembered ? { reply } : {}),
    ...(decided.replay ? { replayOf: decided.replay.n } : {}),
    ...(fault === null ? {} : { fault }),
    ...(told ? { rule: told.rule, scope: told.scope } : {}),
  }
  await ledger.append(line)
  // a refusal is said at once: the slow work behind the directive is the first call's
  const travels = decided.refusal ? { text: '', latency: 0 } : directive
  const played: Played = { line, directive: travels, reply, latencyMs: context.latencyMs }
  await answerEffect(response, ledger, played, () => {
    if (remembered) replays.end(call.key, reply)
  })
}
