// `/_script/…`: the control of a server in another process, and its ledger, over HTTP.
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { type Control, outageSchema } from './control.ts'
import { limitSchema } from './limits.ts'
import { sendJson } from './play.ts'
import { jsonOf, RequestError } from './protocols/protocol.ts'
import { readBody, urlOf } from './request.ts'
import { type ReadRule, ruleSchema } from './rules.ts'

const PREFIX = '/_script'

export const isControlPath = (path: string): boolean => path === PREFIX || path.startsWith(`${PREFIX}/`)

interface Asked {
  control: Control
  ledger: string
  query: URLSearchParams
  body: unknown
  /** What follows the name in the path, decoded. */
  rest: string
}
/** Bytes of JSON, or a text as it is. */
type Given = { json: unknown } | { text: string }
type Door = (asked: Asked) => Given

/** The entries whose fields are what the query says; `after=17`: those later than call 17. */
const filtered = <T extends { n: number }>(entries: readonly T[], query: URLSearchParams): T[] => {
  const after = Number(query.get('after') ?? 0)
  if (!Number.isInteger(after)) throw new RequestError(400, '`after` is a whole number')
  const wanted = [...query].filter(([name]) => name !== 'after')
  return entries.filter((entry) => {
    const fields = new Map(Object.entries(entry))
    return entry.n > after && wanted.every(([name, value]) => String(fields.get(name)) === value)
  })
}

const removed = (was: boolean, what: string): Given => {
  if (!was) throw new RequestError(404, `there is no ${what}`)
  return { json: { deleted: true } }
}

/** One rule, or a list of them. All are read before the first is set. */
const rulesIn = (body: unknown): ReadRule[] =>
  (Array.isArray(body) ? body : [body]).map((rule: unknown) => ruleSchema.parse(rule))

const DOORS: Readonly<Record<string, Door>> = {
  'GET ': ({ control }) => ({ json: { rules: control.rules(), limits: control.limits() } }),
  'GET calls': ({ control, query }) => ({ json: filtered(control.calls(), query) }),
  'GET effects': ({ control, query }) => ({ json: filtered(control.effects(), query) }),
  'GET ledger': ({ ledger }) => ({ text: readFileSync(ledger, 'utf8') }),
  'GET rules': ({ control }) => ({ json: control.rules() }),
  'POST rules': ({ control, body }) => ({ json: rulesIn(body).map((rule) => control.setRule(rule)) }),
  'DELETE rules': ({ control, rest }) => removed(control.deleteRule(rest), `rule ${rest}`),
  'POST outages': ({ control, body }) => {
    control.outage(outageSchema.parse(body))
    return { json: control.rules() }
  },
  'GET limits': ({ control }) => ({ json: control.limits() }),
  'POST limits': ({ control, body }) => ({ json: control.setLimit(limitSchema.parse(body)) }),
  'DELETE limits': ({ control, rest }) => removed(control.deleteLimit(rest), `limit for ${rest}`),
  'POST reset': ({ control }) => {
    control.reset()
    return { json: { reset: true } }
  },
}

/** Every door, `METHOD name`. */
export const CONTROL_DOORS = Object.keys(DOORS)

const errorOf = (error: unknown): { status: number; message: string } => {
  if (error instanceof RequestError) return error
  if (error instanceof z.ZodError) return { status: 400, message: z.prettifyError(error) }
  return { status: 500, message: error instanceof Error ? error.message : String(error) }
}

const answered = async (incoming: IncomingMessage, control: Control, ledger: string): Promise<Given> => {
  const { pathname, searchParams: query } = urlOf(incoming)
  const [name = '', ...rest] = pathname.slice(PREFIX.length + 1).split('/')
  const door = DOORS[`${incoming.method} ${name}`]
  if (!door)
    throw new RequestError(404, `there is no ${incoming.method} ${pathname}; there are: ${CONTROL_DOORS.join(', ')}`)
  const text = await readBody(incoming)
  const body = incoming.method === 'POST' && text !== '' ? jsonOf(text) : {}
  return door({ control, ledger, query, body, rest: decodeURIComponent(rest.join('/')) })
}

export const takeControl = async (
  incoming: IncomingMessage,
  response: ServerResponse,
  control: Control,
  ledger: string,
): Promise<void> => {
  try {
    const given = await answered(incoming, control, ledger)
    if ('json' in given) return sendJson(response, 200, given.json)
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.end(given.text)
  } catch (error) {
    const { status, message } = errorOf(error)
    sendJson(response, status, { error: message })
  }
}
