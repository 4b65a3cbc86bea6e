// The catalogue: which FailureCode a provider's refusal is. One table for all providers; the first row that fits decides.
import type { Failure, FailureCode } from '@stepfleet/contracts'
import type { Refusal } from './faults/fault.ts'

export interface Verdict {
  code: FailureCode
  /** Only where it is not the code's own. */
  class?: Failure['class']
}

interface Row {
  /** Of these statuses only; null stands for an error inside a stream that names none. Absent: any. */
  status?: readonly (number | null)[]
  /** One of the provider's names for it fits. */
  name?: RegExp
  /** The message fits. */
  says?: RegExp
  /** Only where nothing says how long to wait. */
  endless?: true
  gives: Verdict
}

const WRONG_REQUEST = [400, 413, 422, 500, null]

/** What providers say in names or messages, whatever the status. */
const TOLD: readonly Row[] = [
  // Quotas of a day and limits on money also answer 429, but no wait of a minute lifts them.
  {
    name: /^(insufficient_quota|billing_hard_limit_reached)$|spend_limit_reached$|PerDay/,
    gives: { code: 'rate_limited', class: 'permanent' },
  },
  {
    status: [429],
    says: /spend(ing)? (cap|limit)|credits are depleted|insufficient (balance|credits)/i,
    gives: { code: 'rate_limited', class: 'permanent' },
  },
  // Gemini says this of limits of a minute too, but then with the time to wait
  {
    status: [429],
    says: /exceeded your current quota/i,
    endless: true,
    gives: { code: 'rate_limited', class: 'permanent' },
  },
  { says: /credit balance is too low/i, gives: { code: 'permission_denied' } },
  // one request over the limit of a minute: it will never fit
  { status: [429], says: /^Request too large/i, gives: { code: 'payload_too_large' } },
  {
    name: /^(context_length_exceeded|exceed_context_size_error|string_above_max_length)$/,
    gives: { code: 'context_too_long' },
  },
  {
    status: WRONG_REQUEST,
    says: /prompt is too long|exceeds? (the )?context limit|maximum context length|input token count .*exceeds|exceeds? the (available |model's )?context (size|window|length)/i,
    gives: { code: 'context_too_long' },
  },
  {
    name: /^(content_filter|content_policy_violation|ResponsibleAIPolicyViolation|invalid_prompt)$/,
    gives: { code: 'refused_by_model' },
  },
  // Gemini answers a wrong key with 400
  { name: /^(API_KEY_INVALID|invalid_api_key)$/, gives: { code: 'authentication_failed' } },
  { name: /^FAILED_PRECONDITION$/, gives: { code: 'permission_denied' } },
  { name: /^model_not_found$/, gives: { code: 'model_unknown' } },
  {
    status: [404],
    says: /^model: |models\/\S+ is not found|model \S+ (does not exist|not found|is not found)/i,
    gives: { code: 'model_unknown' },
  },
]

const BY_STATUS: readonly Row[] = [
  { status: [400, 412, 422], gives: { code: 'bad_request' } },
  { status: [401], gives: { code: 'authentication_failed' } },
  // 402: no credit left, a person has to pay first
  { status: [402, 403], gives: { code: 'permission_denied' } },
  { status: [404], gives: { code: 'not_found' } },
  { status: [408], gives: { code: 'timeout' } },
  // a lock on the other side, or it wants the same again later
  { status: [409, 425], gives: { code: 'provider_error' } },
  { status: [413, 431], gives: { code: 'payload_too_large' } },
  { status: [429], gives: { code: 'rate_limited' } },
  // a gateway says the client left, which we did not
  { status: [499], gives: { code: 'connection_failed' } },
  { status: [501], gives: { code: 'provider_error', class: 'permanent' } },
  // 503 is Gemini's and OpenAI's word for what Anthropic calls 529
  { status: [503, 529], gives: { code: 'overloaded' } },
]

/** An error inside a stream may have no status, only a name. */
const BY_NAME: readonly Row[] = [
  { name: /^overloaded_error$|overloaded|^slow_down$|^UNAVAILABLE$/i, gives: { code: 'overloaded' } },
  { name: /^rate_limit|^RateLimitError$|^RESOURCE_EXHAUSTED$|^(tokens|requests)$/, gives: { code: 'rate_limited' } },
  { name: /^(invalid_request_error|BadRequestError|INVALID_ARGUMENT)$/, gives: { code: 'bad_request' } },
  { name: /^(authentication_error|UNAUTHENTICATED)$/, gives: { code: 'authentication_failed' } },
  { name: /^(billing_error|permission_error|PERMISSION_DENIED)$/, gives: { code: 'permission_denied' } },
  { name: /^(not_found_error|NotFoundError|NOT_FOUND)$/, gives: { code: 'not_found' } },
  { name: /^request_too_large$/, gives: { code: 'payload_too_large' } },
  { name: /^timeout_error$|^timeout$/, gives: { code: 'timeout' } },
]

const fits = (row: Row, { status, names, message, waitMs, headers }: Refusal): boolean =>
  (row.endless === undefined || (waitMs === null && !headers?.has('retry-after'))) &&
  (row.status === undefined || row.status.includes(status)) &&
  (row.name === undefined || names.some((name) => row.name?.test(name))) &&
  (row.says === undefined || row.says.test(message))

/** What no row knows: a status below 500 is a mistake of ours, all else the provider's. */
const unlisted = (status: number | null): Verdict => ({
  code: status !== null && status < 500 ? 'bad_request' : 'provider_error',
})

export const verdictOf = (refusal: Refusal): Verdict => {
  const rows = [...TOLD, ...(refusal.status === null ? BY_NAME : BY_STATUS)]
  return rows.find((row) => fits(row, refusal))?.gives ?? unlisted(refusal.status)
}
