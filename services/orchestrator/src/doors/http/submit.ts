// Submitting a run: what is asked for, checked and resolved; the same request again is the same run.
import {
  type Carrier,
  type CommandOf,
  type Definition,
  type Json,
  labelsSchema,
  parseDurationMs,
  type SubmitRun,
  type WorkflowRef,
} from '@stepfleet/contracts'
import { canonicalJson } from '@stepfleet/engine'
import type { RunHead, Submission } from '../../store/port.ts'
import { type HttpContext, type Packed, pack, randomId, sha256 } from './context.ts'
import { errorsOfZod, Rejection } from './problems.ts'
import { definitionOf } from './workflows.ts'

/** Fields of the format that this release does not have. */
const LATER = ['thread']

/** Refuses what is of the format but not of this release, by its name, before anything else is said of the body. */
export const refuseLater = (body: unknown): void => {
  if (body === null || typeof body !== 'object') return
  const errors = LATER.filter((field) => Object.hasOwn(body, field)).map((field) => ({
    path: field,
    code: 'not_supported_yet',
    message: `${field} is not supported yet`,
  }))
  // the tasks of the run that ended may still be queued under the ids that the new one would use
  if ('onConflict' in body && body.onConflict === 'restart') {
    const message = 'onConflict restart is not supported yet: submit the run under another id'
    errors.push({ path: 'onConflict', code: 'not_supported_yet', message })
  }
  if (errors.length > 0)
    throw new Rejection('not_supported_yet', 'the request uses what this release does not have', { errors })
}

const bad = (path: string, message: string): Rejection =>
  new Rejection('bad_request', message, { errors: [{ path, code: 'invalid_value', message }] })

const checkSource = ({ workflow, definition, version }: SubmitRun): void => {
  if ((workflow === undefined) === (definition === undefined))
    throw bad('workflow', 'name exactly one of workflow and definition')
  if (version !== undefined && definition !== undefined)
    throw bad('version', 'a definition that comes along has no version')
}

interface Resolved {
  ref: WorkflowRef
  definition: Definition
  /** Canonical text of a definition that came with the run, to be kept. */
  keep: string | null
}

const versionOf = (workflow: string, version: number | undefined): { name: string; version: number | null } => {
  const [name = workflow, pinned] = workflow.split('@')
  if (pinned !== undefined && version !== undefined && Number(pinned) !== version)
    throw bad('version', `${workflow} and version ${version} contradict each other`)
  return { name, version: pinned === undefined ? (version ?? null) : Number(pinned) }
}

const resolve = async (context: HttpContext, ns: string, wanted: SubmitRun): Promise<Resolved> => {
  if (wanted.workflow === undefined) {
    // parsed from JSON, and exactly one of the two is there
    const { definition, hash, text } = context.definitions.accept((wanted.definition ?? null) as Json)
    return { ref: { name: definition.name, version: null, hash }, definition, keep: text }
  }
  const { name, version } = versionOf(wanted.workflow, wanted.version)
  const stored = await definitionOf(context, ns, name, version)
  const definition = context.definitions.stored(stored.hash, stored.definition)
  return { ref: { name, version: stored.version, hash: stored.hash }, definition, keep: null }
}

const checkInput = (context: HttpContext, definition: Definition, input: Json): void => {
  if (definition.input === undefined) return
  const errors = context.schemas.check(definition.input, input, 'input')
  if (errors.length > 0)
    throw new Rejection('invalid_input', `the input does not fit the schema of ${definition.name}`, { errors })
}

const labelsOf = (definition: Definition, wanted: SubmitRun): Record<string, string> => {
  const merged = labelsSchema.safeParse({ ...definition.labels, ...wanted.labels }, { reportInput: true })
  if (merged.success) return merged.data
  throw new Rejection('bad_request', 'the workflow and the run have too many labels together', {
    errors: errorsOfZod(merged.error, 'labels', []),
  })
}

const conflict = (head: RunHead, why: string): Rejection =>
  new Rejection('run_conflict', `run ${head.run} exists (${head.status}) ${why}`)

export interface Accepted {
  /** 202: a new run; 200: the run that was there already. */
  status: 200 | 202
  head: RunHead
}

const settle = (head: RunHead, submission: Submission, policy: NonNullable<SubmitRun['onConflict']>): Accepted => {
  if (policy === 'use_existing' || head.fingerprint === submission.fingerprint) return { status: 200, head }
  throw conflict(head, 'and was asked for by another request: take another id, or onConflict use_existing')
}

/** A budget in dollars that comes with the run asks the same of the workflow as one that stands in it. */
const checkPrices = (context: HttpContext, definition: Definition): void => {
  const unpriced = context.definitions.unpriced(definition)
  if (unpriced.length > 0)
    throw new Rejection('bad_request', 'a budget in dollars cannot hold for models without a price', {
      errors: unpriced,
    })
}

/** What was there before decides without writing anything. */
const existing = async (context: HttpContext, submission: Submission, wanted: SubmitRun): Promise<Accepted | null> => {
  const head = await context.store.head(submission.command.ns, submission.command.run)
  if (!head) return null
  return settle(head, submission, wanted.onConflict ?? 'reject')
}

const send = async (
  context: HttpContext,
  submission: Submission,
  packed: Packed,
  wanted: SubmitRun,
): Promise<Accepted> => {
  const { ns, run } = submission.command
  if (packed.blob) {
    // a large input is written before the run that names it, so not for a run that turns out to be there
    const there = await existing(context, submission, wanted)
    if (there) return there
    await context.store.putBlob(ns, run, packed.blob.sha, packed.blob.text)
  }
  const { status, head } = await context.store.submit(submission)
  return status === 'created' ? { status: 202, head } : settle(head, submission, wanted.onConflict ?? 'reject')
}

/** `run_…` only for ids that the server makes: by the Idempotency-Key, or at random. */
const runIdOf = (ns: string, wanted: SubmitRun, key: string | undefined): string => {
  if (wanted.id !== undefined) return wanted.id
  return `run_${key === undefined ? randomId() : sha256(canonicalJson([ns, key])).slice(0, 32)}`
}

/** Who submits. */
export interface Caller {
  /** The Idempotency-Key. */
  key: string | undefined
  /** Of the request's span. */
  trace: Carrier | undefined
}

/**
 * Submits a run. Throws a Rejection: `bad_request`, `not_supported_yet`,
 * `unknown_workflow`, `invalid_definition`, `invalid_input`, `payload_too_large`, `run_conflict`, `fleet_…`.
 */
export const submitRun = async (
  context: HttpContext,
  ns: string,
  wanted: SubmitRun,
  { key, trace }: Caller,
): Promise<Accepted> => {
  checkSource(wanted)
  const { ref, definition, keep } = await resolve(context, ns, wanted)
  const input = wanted.input ?? {}
  checkInput(context, definition, input)
  const labels = labelsOf(definition, wanted)
  const priority = wanted.priority ?? 3
  // the schema of the request has let it through
  const deadlineMs = wanted.deadline === undefined ? undefined : (parseDurationMs(wanted.deadline) ?? undefined)
  const { budget } = wanted
  if (budget?.usd !== undefined) checkPrices(context, definition)
  const packed = pack(input, 'input')
  const tip = randomId()
  const run = runIdOf(ns, wanted, key)
  const command: CommandOf<'start'> = {
    type: 'start',
    id: `start.${tip}`,
    ns,
    run,
    by: { kind: 'caller', id: 'api' },
    workflow: ref,
    input: packed.payload,
    labels,
    priority,
    env: context.config.env,
    trace,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(budget === undefined ? {} : { budget }),
  }
  const submission: Submission = {
    command,
    fingerprint: sha256(
      canonicalJson({
        workflow: ref.hash,
        input,
        labels,
        priority,
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
        ...(budget === undefined ? {} : { budget }),
      }),
    ),
    tip,
    onConflict: 'reject',
  }
  if (keep !== null) await context.store.keep(ns, ref.hash, keep)
  return send(context, submission, packed, wanted)
}
