// What the HTTP door is given, what its routes share, and the small things every route needs.
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  CircuitView,
  Command,
  ForceCircuit,
  Json,
  Payload,
  PriceList,
  RunView,
  ToolManifest,
  Verdict,
} from '@stepfleet/contracts'
import { DEFAULT_NAMESPACE, LIMITS } from '@stepfleet/contracts'
import type { Logger } from '@stepfleet/runtime'
import type { SchemaChecks } from '@stepfleet/schemas'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { OrchestratorConfig } from '../../config.ts'
import type { DefinitionStore, RunHead, RunReader } from '../../store/port.ts'
import type { FleetView } from './bodies.ts'
import type { Definitions } from './definitions.ts'
import { Rejection } from './problems.ts'

export interface HttpDoorDeps {
  store: RunReader & DefinitionStore
  mailbox: { ask(command: Command, waitMs: number): Promise<Verdict | null> }
  /** The whole run as callers see it; null: there is none. */
  viewRun(ns: string, run: string): Promise<RunView | null>
  fleet(): Promise<FleetView>
  forceCircuit(dependency: string, force: ForceCircuit): Promise<CircuitView>
  /** What tokens of callbacks are signed with. */
  callbackSecret(): Promise<string>
  /** Module tools that workers have published, by name. */
  toolManifests(): Promise<ReadonlyMap<string, ToolManifest>>
  /** What budgets in dollars go by; undefined: the prices of this release. */
  prices?: PriceList
  publisher: { depth(queue: string): Promise<{ waiting: number; active: number; oldestAgeMs: number | null }> }
  config: Pick<OrchestratorConfig, 'ROLE' | 'STEPFLEET_HOST' | 'ESCALATION_URL' | 'env'>
  logger: Logger
}

/** What the routes share. Every call on a port is limited in time. */
export interface HttpContext extends HttpDoorDeps {
  schemas: SchemaChecks
  definitions: Definitions
  /** Aborted when the door closes: long polls answer with what they have. */
  closing: AbortSignal
}

export type Door = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** Headers as `headersSchema` and `writeHeadersSchema` let them through. */
export interface CallHeaders {
  'x-stepfleet-namespace'?: string | undefined
  'idempotency-key'?: string | undefined
}

export const namespaceOf = (headers: CallHeaders): string => headers['x-stepfleet-namespace'] ?? DEFAULT_NAMESPACE

/** Lower-case hex. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
/** 24 hex digits nobody else has. */
export const randomId = (): string => randomBytes(12).toString('hex')

/** The head of a run; throws `unknown_run`. */
export const headOf = async (context: HttpContext, ns: string, run: string): Promise<RunHead> => {
  const head = await context.store.head(ns, run)
  if (head) return head
  throw new Rejection('unknown_run', `there is no run ${run} in namespace ${ns}`)
}

export type Packed = { payload: Payload; blob: { sha: string; text: string } | null }

/** A value as a payload: inline, or by the hash of its text when that is long. Throws `payload_too_large`. */
export const pack = (value: Json, what: string): Packed => {
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > LIMITS.payloadBytes)
    throw new Rejection('payload_too_large', `the ${what} has ${bytes} bytes, at most ${LIMITS.payloadBytes} are taken`)
  if (bytes <= LIMITS.inlinePayloadBytes) return { payload: { value }, blob: null }
  const sha = sha256(text)
  return { payload: { blob: sha, bytes }, blob: { sha, text } }
}

/** Packs a value and writes its blob, so that what names it never comes first. */
export const storePayload = async (
  context: HttpContext,
  run: { ns: string; run: string },
  value: Json,
  what: string,
): Promise<Payload> => {
  const { payload, blob } = pack(value, what)
  if (blob) await context.store.putBlob(run.ns, run.run, blob.sha, blob.text)
  return payload
}
