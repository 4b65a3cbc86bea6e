// Loads the code workflows of a folder: every file in it is one; helpers lie in folders below.
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { CodeHost } from '@stepfleet/code-workflows'
import { type Bundle, bundleWorkflow } from '@stepfleet/code-workflows'
import type { Json } from '@stepfleet/contracts'
import { canonicalJson } from '@stepfleet/engine'
import type { CodeDefinition } from './definition.ts'

export interface LoadedWorkflow {
  file: string
  definition: CodeDefinition
  bundle: Bundle
  /** SHA-256 of the canonical definition: what a version is known by. */
  hash: string
  /** Canonical JSON of the definition. */
  text: string
}

export interface LoadOptions {
  folder: string
  host: Pick<CodeHost, 'describe'>
  /** Why a JSON Schema is none; null: it is one. */
  schemaError(schema: { [key: string]: Json }): string | null
}

const isWorkflowFile = (name: string): boolean =>
  /\.(ts|mts|js|mjs)$/.test(name) && !/\.(d|test|config)\.m?ts$/.test(name) && !/\.test\.m?js$/.test(name)

const loadOne = async (options: LoadOptions, file: string): Promise<LoadedWorkflow> => {
  const bundle = await bundleWorkflow(join(resolve(options.folder), file))
  const described = await options.host.describe(bundle)
  if (!described.ok) throw new Error(described.why)
  const { name, description, input } = described
  const why = input === null ? null : options.schemaError(input)
  if (why !== null) throw new Error(`input: not a JSON Schema (2020-12): ${why}`)
  const definition: CodeDefinition = {
    name,
    ...(description === null ? {} : { description }),
    ...(input === null ? {} : { input }),
    code: { hash: bundle.hash },
  }
  const text = canonicalJson(definition as Json)
  return { file, definition, bundle, hash: createHash('sha256').update(text).digest('hex'), text }
}

const refuseTwins = (loaded: readonly LoadedWorkflow[]): string[] => {
  const files = new Map<string, string>()
  return loaded.flatMap(({ file, definition: { name } }) => {
    const other = files.get(name)
    files.set(name, file)
    return other === undefined ? [] : [`${file}: workflow ${name} is in ${other} already`]
  })
}

/** @throws Error with everything that is wrong with any file, a line each */
export const loadWorkflows = async (options: LoadOptions): Promise<LoadedWorkflow[]> => {
  const files = (await readdir(options.folder, { withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && isWorkflowFile(entry.name))
    .map((entry) => entry.name)
    .sort()
  const loaded: LoadedWorkflow[] = []
  const problems: string[] = []
  // one after another: each starts a thread
  for (const file of files) {
    try {
      loaded.push(await loadOne(options, file))
    } catch (error) {
      problems.push(`${file}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  problems.push(...refuseTwins(loaded))
  if (problems.length > 0) throw new Error(`code workflows of ${options.folder}:\n${problems.join('\n')}`)
  return loaded
}
