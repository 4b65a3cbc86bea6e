// children: runs that runs start. A child is submitted like any run, under the id its parent's journal has fixed; what
// cannot start is told the parent.
import { createHash } from 'node:crypto'
import {
  type ChildResult,
  type Command,
  type CommandOf,
  type Definition,
  type Failure,
  failure,
  isBlob,
  type Json,
  type Payload,
} from '@stepfleet/contracts'
import { type ChildStart, canonicalJson, childEnded } from '@stepfleet/engine'
import type { SchemaChecks } from '@stepfleet/schemas'
import { readStored } from '../code/definition.ts'
import type { DefinitionStore, RunReader, StoredDefinition, Submission } from '../store/port.ts'

export interface ChildDeps {
  store: RunReader & DefinitionStore
  schemas: SchemaChecks
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Copies a payload's blob, if it is one, from a run to another, before anything there names it. */
const carry = async (deps: ChildDeps, payload: Payload, ns: string, from: string, to: string): Promise<void> => {
  if (!isBlob(payload)) return
  const value = await deps.store.blob(ns, from, payload.blob)
  if (value === null) throw new Error(`blob ${payload.blob} of run ${ns}~${from} is gone`)
  await deps.store.putBlob(ns, to, payload.blob, JSON.stringify(value))
}

/** Sends a command to another run, with the payload it brings. */
export const tell = async (deps: ChildDeps, from: string, command: Command): Promise<void> => {
  if (command.type === 'child' && command.result.status === 'completed')
    await carry(deps, command.result.output, command.ns, from, command.run)
  await deps.store.send(command)
}

const find = async (deps: ChildDeps, ns: string, workflow: string): Promise<StoredDefinition | null> => {
  const [name = workflow, version] = workflow.split('@')
  return deps.store.definition(ns, name, version === undefined ? null : Number(version))
}

const inputOf = async (deps: ChildDeps, child: ChildStart): Promise<Json> => {
  const { input, ns, parent } = child
  if (!isBlob(input)) return input.value
  return deps.store.blob(ns, parent.run, input.blob)
}

/** Why a child cannot begin, or null. */
const refusal = (deps: ChildDeps, child: ChildStart, stored: StoredDefinition | null, input: Json): Failure | null => {
  if (!stored) return failure('child_refused', `there is no workflow ${child.workflow} in namespace ${child.ns}`)
  const { input: schema } = readStored(stored.definition).definition
  const errors = schema ? deps.schemas.check(schema, input, 'input') : []
  if (errors.length === 0) return null
  const said = errors.map((error) => `${error.path} ${error.message}`).join('; ')
  return failure('child_refused', `the input does not fit workflow ${child.workflow}: ${said}`)
}

const submissionOf = (child: ChildStart, stored: StoredDefinition, definition: Definition, input: Json): Submission => {
  const { ns, run, priority, env, parent, trace } = child
  const command: CommandOf<'start'> = {
    type: 'start',
    id: `start.${run}`,
    ns,
    run,
    by: { kind: 'engine', id: parent.run },
    workflow: { name: stored.name, version: stored.version, hash: stored.hash },
    input: child.input,
    labels: definition.labels ?? {},
    priority,
    env,
    parent,
    ...(trace ? { trace } : {}),
  }
  const fingerprint = sha256(canonicalJson({ workflow: stored.hash, input, parent }))
  return { command, fingerprint, tip: sha256(`${ns}~${run}`), onConflict: 'reject' }
}

/** Starts a child. A repeat finds it there, with the version it began with. */
export const startChild = async (deps: ChildDeps, child: ChildStart): Promise<void> => {
  const { ns, run, parent } = child
  if (await deps.store.head(ns, run)) return
  const stored = await find(deps, ns, child.workflow)
  const input = await inputOf(deps, child)
  const refused = refusal(deps, child, stored, input)
  if (refused || !stored) {
    const result: ChildResult = { status: 'refused', failure: refused ?? failure('child_refused', 'not found') }
    if (!parent.detached) await deps.store.send(childEnded(ns, run, parent, result))
    return
  }
  await carry(deps, child.input, ns, parent.run, run)
  await deps.store.submit(submissionOf(child, stored, readStored(stored.definition).definition, input))
}
