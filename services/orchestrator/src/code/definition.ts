// Definitions of code workflows as the store keeps them: like any other, with the hash of a bundle in the place of steps.
// The bundle lies apart, so that reading a definition, which every submit does, does not read it.
import { type Definition, definitionSchema, type Json, jsonSchema } from '@stepfleet/contracts'
import { z } from 'zod'
import type { DefinitionStore } from '../store/port.ts'

export const codeDefinitionSchema = z.strictObject({
  name: z.string(),
  description: z.string().optional(),
  input: z.record(z.string(), jsonSchema).optional(),
  /** SHA-256 of the bundle, lower-case hex; the bundle is kept under it. */
  code: z.strictObject({ hash: z.string() }),
})
export type CodeDefinition = z.infer<typeof codeDefinitionSchema>

/** What a stored definition says: its steps are in the definition, or what the code asks for. */
export interface StoredWorkflow {
  definition: Definition
  code: CodeDefinition['code'] | null
}

const isCode = (stored: Json): boolean =>
  stored !== null && typeof stored === 'object' && !Array.isArray(stored) && 'code' in stored

/** Reads a definition that was checked when it was stored. Only an orchestrator itself stores code; the API refuses it. */
export const readStored = (stored: Json): StoredWorkflow => {
  if (!isCode(stored)) return { definition: definitionSchema.parse(stored), code: null }
  const { code, ...rest } = codeDefinitionSchema.parse(stored)
  return { definition: { ...rest, steps: {} }, code }
}

/** Before anything names it. */
export const keepBundle = (
  store: Pick<DefinitionStore, 'keep'>,
  ns: string,
  bundle: { hash: string; text: string },
): Promise<void> => store.keep(ns, bundle.hash, JSON.stringify(bundle.text))

/** Throws when it is gone: runs keep their bundle for life. */
export const bundleText = async (
  store: Pick<DefinitionStore, 'byRef'>,
  ns: string,
  name: string,
  hash: string,
): Promise<string> => {
  const text = await store.byRef(ns, { name, version: null, hash })
  if (typeof text !== 'string') throw new Error(`the bundle ${hash} of workflow ${name} in namespace ${ns} is gone`)
  return text
}
