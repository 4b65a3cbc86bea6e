// What goes wrong with a provider, and what that looks like in each protocol: played by faults.http.test.ts, printed in
// the guide. A cell is what a client saw.
import type { ProtocolName } from './answering/script.ts'
import type { LedgerEntry } from './ledger.ts'

export interface FaultRow {
  fault: string
  directive: string
  /** What the request offers or asks for besides text. */
  with?: 'tools' | 'schema'
  /** It never ends by itself: the client goes away. */
  endless?: true
  seen: Record<ProtocolName, string>
  /** It says what the answer looks like, and the ledger notes no fault. */
  harmless?: true
  /** How the ledger says that it ended. */
  outcome: LedgerEntry['outcome']
}

/** The protocol has no word for it: the request is refused with 400. */
export const NO_MEANING = 'no meaning'

const in3 = (anthropic: string, openai: string, gemini: string): FaultRow['seen'] => ({ anthropic, openai, gemini })
const inAll = (seen: string): FaultRow['seen'] => in3(seen, seen, seen)

const row = (
  fault: string,
  directive: string,
  seen: FaultRow['seen'],
  more: Omit<FaultRow, 'fault' | 'directive' | 'seen'>,
): FaultRow => ({ fault, directive, seen, ...more })

export const FAULTS: readonly FaultRow[] = [
  row(
    '429 with a wait',
    'fail=429 retry-after=171',
    in3(
      '429 rate_limit_error, retry-after 171',
      '429 rate_limit_exceeded, retry-after 171',
      '429 RESOURCE_EXHAUSTED, RetryInfo 171s',
    ),
    { outcome: 'failed' },
  ),
  row(
    '429 without a wait',
    'fail=429',
    in3('429 rate_limit_error', '429 rate_limit_exceeded', '429 RESOURCE_EXHAUSTED'),
    { outcome: 'failed' },
  ),
  row(
    'the quota is used up',
    'error=quota_exhausted',
    in3('402 billing_error', '429 insufficient_quota', '429 RESOURCE_EXHAUSTED'),
    { outcome: 'failed' },
  ),
  row(
    'overloaded, before the answer',
    'error=overloaded',
    in3('529 overloaded_error', '503 engine_overloaded', '503 UNAVAILABLE'),
    { outcome: 'failed' },
  ),
  row('503', 'fail=503', in3('503 api_error', '503 server_error', '503 UNAVAILABLE'), { outcome: 'failed' }),
  row('a server error', 'error=server_error', in3('500 api_error', '500 server_error', '500 INTERNAL'), {
    outcome: 'failed',
  }),
  row(
    'overloaded, inside a 200',
    'error=overloaded in=stream',
    in3(
      '200, then the error overloaded_error',
      '200, then the error engine_overloaded',
      '200, then the error UNAVAILABLE',
    ),
    { outcome: 'failed' },
  ),
  row(
    '529, inside a 200',
    'fail=529 in=stream',
    in3(
      '200, then the error overloaded_error',
      '200, then the error engine_overloaded',
      '200, then the error UNAVAILABLE',
    ),
    { outcome: 'failed' },
  ),
  row(
    'a server error inside a 200',
    'fail=500 in=stream',
    in3('200, then the error api_error', '200, then the error server_error', '200, then the error INTERNAL'),
    { outcome: 'failed' },
  ),
  row('a stream that closes in its middle', 'cut=stream', inAll('200, no end'), { outcome: 'cut' }),
  row('a stream that closes before its first event', 'cut=stream at=0', inAll('200, no end'), { outcome: 'cut' }),
  row(
    'a stream of which only the end is missing',
    'cut=stream at=100',
    in3('200 end_turn, no end', '200 stop, no end', '200, no end'),
    { outcome: 'cut' },
  ),
  row('a connection torn down in the middle', 'cut=reset', inAll('200, torn down in the middle'), { outcome: 'cut' }),
  row('a connection torn down before the headers', 'cut=headers', inAll('torn down before the headers'), {
    outcome: 'cut',
  }),
  row('applied, then dropped', 'drop', inAll('torn down before the headers'), { outcome: 'answered' }),
  row('never any headers', 'hang', inAll('silence'), { endless: true, outcome: 'aborted' }),
  row('headers, then silence', 'hang=stream at=0', inAll('200, nothing, then silence'), {
    endless: true,
    outcome: 'aborted',
  }),
  row('silence in the middle', 'hang=stream', inAll('200, a part, then silence'), {
    endless: true,
    outcome: 'aborted',
  }),
  row('one byte each 20 s', 'trickle=20000', inAll('200, a byte, then silence'), { endless: true, outcome: 'aborted' }),
  row('a first token that takes 20 s', 'first-token=20000', inAll('200, nothing, then silence'), {
    endless: true,
    outcome: 'aborted',
  }),
  row('an answer cut by the token limit', 'stop=max_tokens', in3('200 max_tokens', '200 length', '200 MAX_TOKENS'), {
    outcome: 'answered',
  }),
  row(
    'a tool call cut by the token limit',
    'turns=1 stop=max_tokens',
    in3('200 max_tokens, 1 × no JSON', '200 length, 1 × no JSON', '200 MAX_TOKENS'),
    { with: 'tools', outcome: 'answered' },
  ),
  row(
    'arguments that are no JSON',
    'malformed',
    in3('200 tool_use, 1 × no JSON', '200 tool_calls, 1 × no JSON', '200 MALFORMED_FUNCTION_CALL'),
    { with: 'tools', outcome: 'answered' },
  ),
  row(
    'arguments that do not fit the schema',
    'malformed=schema',
    in3(
      '200 tool_use, 1 × not of the schema',
      '200 tool_calls, 1 × not of the schema',
      '200 STOP, 1 × not of the schema',
    ),
    { with: 'tools', outcome: 'answered' },
  ),
  row(
    'arguments outside an enum',
    'malformed=enum',
    in3('200 tool_use, 1 × outside the enum', '200 tool_calls, 1 × outside the enum', '200 STOP, 1 × outside the enum'),
    { with: 'tools', outcome: 'answered' },
  ),
  row(
    'arguments with torn UTF-8',
    'malformed=utf8',
    in3('200 tool_use, 1 × torn UTF-8', '200 tool_calls, 1 × torn UTF-8', '200 STOP, 1 × torn UTF-8'),
    { with: 'tools', outcome: 'answered' },
  ),
  row(
    'arguments of 2 MB',
    'bytes=2000000',
    in3('200 tool_use, 1 × 2000000 bytes', '200 tool_calls, 1 × 2000000 bytes', '200 STOP, 1 × 2000000 bytes'),
    { with: 'tools', outcome: 'answered' },
  ),
  row(
    'an answer that is no JSON',
    'malformed',
    in3('200 end_turn, no JSON', '200 stop, no JSON', '200 STOP, no JSON'),
    { with: 'schema', outcome: 'answered' },
  ),
  row(
    'an answer that does not fit its schema',
    'malformed=schema',
    in3('200 end_turn, not of the schema', '200 stop, not of the schema', '200 STOP, not of the schema'),
    { with: 'schema', outcome: 'answered' },
  ),
  row(
    'an answer outside an enum',
    'malformed=enum',
    in3('200 end_turn, outside the enum', '200 stop, outside the enum', '200 STOP, outside the enum'),
    { with: 'schema', outcome: 'answered' },
  ),
  row(
    'text with torn UTF-8',
    'malformed=utf8',
    in3('200 end_turn, torn UTF-8', '200 stop, torn UTF-8', '200 STOP, torn UTF-8'),
    { outcome: 'answered' },
  ),
  row(
    'a context that is too long',
    'error=context_too_long',
    in3('400 invalid_request_error', '400 context_length_exceeded', '400 INVALID_ARGUMENT'),
    { outcome: 'failed' },
  ),
  row('a refusal', 'refusal', in3('200 refusal', '200 stop with refusal', '200 SAFETY'), { outcome: 'answered' }),
  row('a content filter', 'stop=content_filter', in3(NO_MEANING, '200 content_filter', '200 PROHIBITED_CONTENT'), {
    outcome: 'answered',
  }),
  row('a prompt that is blocked', 'stop=prompt_blocked', in3(NO_MEANING, NO_MEANING, '200 promptFeedback, nothing'), {
    outcome: 'answered',
  }),
  row('a paused turn', 'stop=pause_turn', in3('200 pause_turn', NO_MEANING, NO_MEANING), { outcome: 'answered' }),
  row(
    'a context window that is full',
    'stop=model_context_window_exceeded',
    in3('200 model_context_window_exceeded', NO_MEANING, NO_MEANING),
    { outcome: 'answered' },
  ),
  row(
    'a tool call that the provider drops',
    'stop=malformed_tool_call',
    in3(NO_MEANING, NO_MEANING, '200 MALFORMED_FUNCTION_CALL'),
    { outcome: 'answered' },
  ),
  row('an empty answer', 'empty', in3('200 end_turn, nothing', '200 stop, nothing', '200 STOP, nothing'), {
    outcome: 'answered',
  }),
  row(
    'the same tool asked for for ever',
    'forever',
    in3('200 tool_use, 1 × good', '200 tool_calls, 1 × good', '200 STOP, 1 × good'),
    { with: 'tools', harmless: true, outcome: 'answered' },
  ),
  row(
    'three tool calls at once',
    'parallel=3',
    in3('200 tool_use, 3 × good', '200 tool_calls, 3 × good', '200 STOP, 3 × good'),
    { with: 'tools', harmless: true, outcome: 'answered' },
  ),
  row(
    'a model that is not there',
    'error=model_not_found',
    in3('404 not_found_error', '404 model_not_found', '404 NOT_FOUND'),
    { outcome: 'failed' },
  ),
  row(
    'a key that is not taken',
    'error=authentication_failed',
    in3('401 authentication_error', '401 invalid_api_key', '400 INVALID_ARGUMENT API_KEY_INVALID'),
    { outcome: 'failed' },
  ),
  row(
    'a model that is not allowed',
    'error=permission_denied',
    in3('403 permission_error', '403 permission_denied', '403 PERMISSION_DENIED'),
    { outcome: 'failed' },
  ),
]
