// What holds where a definition says nothing: retries, timeouts, effects.
import {
  BUILT_IN_TOOLS,
  type Effect,
  type Json,
  LIMITS,
  parseDurationMs,
  type RetryDefinition,
} from '@stepfleet/contracts'
import { holdsExpression } from '../../expressions/scan.ts'
import type { RetryPolicy } from '../plan.ts'

/** As architecture.md, 'Resilience'. */
export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 5,
  initialMs: 1_000,
  factor: 2,
  maxMs: 60_000,
  never: [],
  only: null,
}

/** Of module tools: code that talks to databases and the like, whose hiccups are short. */
export const MODULE_RETRY: RetryPolicy = { ...DEFAULT_RETRY, initialMs: 200, maxMs: 10_000 }
/** Where a tool's name says which policy holds for it. */
export const retryOfTool = (tool: string | undefined): RetryPolicy =>
  tool === undefined || BUILT_IN_TOOLS.has(tool) ? DEFAULT_RETRY : MODULE_RETRY

/**
 * Of one attempt, milliseconds. A model may think for minutes; an agent's is that of one model call; who answers a
 * callback may be a person of another company.
 */
export const DEFAULT_TIMEOUT_MS = { llm: 600_000, agent: 600_000, tool: 60_000, callback: 86_400_000 } as const
/** Of telling somebody of a callback: one HTTP call. */
export const TELL_TIMEOUT_MS = DEFAULT_TIMEOUT_MS.tool

export const DEFAULT_MAX_TURNS = 20
/** A model that asks for the same so often in a row does not get on. */
export const DEFAULT_MAX_IDENTICAL = 5
/** No limit of its own: every item may run at once. */
export const DEFAULT_CONCURRENCY = LIMITS.eachItems

/** Milliseconds of a duration that was validated; throws on a bug. */
export const durationMs = (text: string): number => {
  const ms = parseDurationMs(text)
  if (ms === null) throw new Error(`not a duration: ${text}`)
  return ms
}

/**
 * The retry policy of a step or agent tool; `usual` is that of its kind. `declared` goes before `defaults` (of the definition), field by
 * field. What has effect `once` is tried once unless it declares a retry itself: a general default must not
 * send a second e-mail.
 */
export const retryPolicy = (
  declared: RetryDefinition | undefined,
  defaults: RetryDefinition | undefined,
  effect: Effect | null,
  usual: RetryPolicy = DEFAULT_RETRY,
): RetryPolicy => {
  const said = { ...defaults, ...declared }
  const policy: RetryPolicy = {
    attempts: said.attempts ?? usual.attempts,
    initialMs: said.initial === undefined ? usual.initialMs : durationMs(said.initial),
    factor: said.factor ?? usual.factor,
    maxMs: said.max === undefined ? usual.maxMs : durationMs(said.max),
    never: said.never ?? usual.never,
    only: said.only ?? usual.only,
  }
  return effect === 'once' && declared === undefined ? { ...policy, attempts: 1 } : policy
}

/** The effect of an HTTP call by its method; a method that is only known at run time may be a POST. */
const httpEffect = (method: Json | undefined): Effect => {
  if (method === undefined) return 'read'
  if (typeof method !== 'string' || holdsExpression(method)) return 'once'
  switch (method.toUpperCase()) {
    case 'GET':
    case 'HEAD':
      return 'read'
    case 'PUT':
    case 'DELETE':
      return 'idempotent'
    default:
      return 'once'
  }
}

export interface ToolUse {
  tool: string
  with?: Record<string, Json> | undefined
  effect?: Effect | undefined
}

/** As declared, else by method for `http`; null for a module tool, whose manifest says. */
export const toolEffect = (use: ToolUse): Effect | null => {
  if (use.effect !== undefined) return use.effect
  // who is told gets the effect key
  if (use.tool === 'callback') return 'idempotent'
  return use.tool === 'http' ? httpEffect(use.with?.method) : null
}
