// Registers the code workflows of a folder: every orchestrator, and every run that begins later, finds them in the store.

import type { CodeHost } from '@stepfleet/code-workflows'
import type { SchemaChecks } from '@stepfleet/schemas'
import type { DefinitionStore } from '../store/port.ts'
import { keepBundle } from './definition.ts'
import { type LoadedWorkflow, loadWorkflows } from './load.ts'

export interface Registered {
  name: string
  version: number
  /** It has changed since the newest version, or is new. */
  created: boolean
}

export const registerWorkflows = (
  store: Pick<DefinitionStore, 'register' | 'keep'>,
  ns: string,
  loaded: readonly LoadedWorkflow[],
): Promise<Registered[]> =>
  Promise.all(
    loaded.map(async ({ definition: { name }, bundle, hash, text }) => {
      await keepBundle(store, ns, bundle)
      const { version, created } = await store.register(ns, name, hash, text)
      return { name, version, created }
    }),
  )

export interface RegisterOptions {
  folder: string
  ns: string
  store: Pick<DefinitionStore, 'register' | 'keep'>
  host: Pick<CodeHost, 'describe'>
  schemas: SchemaChecks
}

/** Loads and registers a folder. @throws Error with everything that is wrong with any file; then none is registered */
export const registerFolder = async (options: RegisterOptions): Promise<Registered[]> => {
  const { folder, ns, store, host, schemas } = options
  const loaded = await loadWorkflows({
    folder,
    host,
    schemaError: (schema) => schemas.compileError(schema),
  })
  return registerWorkflows(store, ns, loaded)
}
