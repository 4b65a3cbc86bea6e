// The registry: module tools loaded from files, with their schemas ready to check.
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ToolManifest } from '@stepfleet/contracts'
import { createSchemaChecks, inWords } from '@stepfleet/schemas'
import { type Checked, isTool, type Tool, type ToolCheck } from 'stepfleet'

export type Check = (value: unknown) => Promise<Checked>

export interface LoadedTool {
  tool: Tool
  /** The file it came from. */
  file: string
  checkInput: Check
  /** null: any JSON value. */
  checkOutput: Check | null
}

export type Registry = ReadonlyMap<string, LoadedTool>

/** A tool file that cannot be served; the message names file and reason. */
export class ToolLoadError extends Error {
  constructor(file: string, why: string, cause?: unknown) {
    super(`tool file ${file}: ${why}`, cause === undefined ? {} : { cause })
    this.name = 'ToolLoadError'
  }
}

/** Names of the tool kinds that are not module tools. */
const TAKEN = new Set(['http', 'callback', 'shell', 'mcp'])
const TOOL_FILE = /\.m?js$/

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const schemas = createSchemaChecks()

export const checkOf = ({ parse, jsonSchema }: ToolCheck): Check => {
  if (parse) return parse
  const why = schemas.compileError(jsonSchema)
  if (why !== null) throw new Error(why)
  return async (value) => {
    const problems = schemas.check(jsonSchema, value)
    return problems.length === 0 ? { ok: true, value } : { ok: false, problem: inWords(problems, 5).join('; ') }
  }
}

/** A file as it is; of a folder its own .js and .mjs files by name. `listed`: the user named this very file. */
const filesOf = async (path: string): Promise<{ file: string; listed: boolean }[]> => {
  const full = resolve(path)
  const found = await stat(full).catch((error: unknown) => {
    throw new ToolLoadError(full, messageOf(error), error)
  })
  if (!found.isDirectory()) return [{ file: full, listed: true }]
  const names = (await readdir(full)).filter((name) => TOOL_FILE.test(name) && !/\.test\.m?js$/.test(name)).sort()
  if (names.length === 0) throw new ToolLoadError(full, 'the folder holds no .js or .mjs file')
  return names.map((name) => ({ file: join(full, name), listed: false }))
}

const toolsOf = async (file: string): Promise<Tool[]> => {
  if (!TOOL_FILE.test(file)) throw new ToolLoadError(file, 'a tool file is .js or .mjs')
  const loaded: object = await import(pathToFileURL(file).href).catch((error: unknown) => {
    throw new ToolLoadError(file, messageOf(error), error)
  })
  // one tool may be exported twice, under its name and as default
  return [...new Set(Object.values(loaded).filter(isTool))]
}

const prepared = (tool: Tool, file: string): LoadedTool => {
  const { name } = tool.manifest.spec
  if (TAKEN.has(name)) throw new ToolLoadError(file, `the name ${name} belongs to a built-in tool`)
  try {
    return { tool, file, checkInput: checkOf(tool.input), checkOutput: tool.output ? checkOf(tool.output) : null }
  } catch (error) {
    throw new ToolLoadError(file, `schema of ${name}: ${messageOf(error)}`, error)
  }
}

/**
 * Loads every tool of the given files and folders (of a folder its own files, no deeper).
 * @throws ToolLoadError for a file that cannot be loaded, a named file without a tool, and a name used twice
 */
export const loadTools = async (paths: readonly string[]): Promise<Registry> => {
  const registry = new Map<string, LoadedTool>()
  for (const { file, listed } of (await Promise.all(paths.map(filesOf))).flat()) {
    const tools = await toolsOf(file)
    // a file of a folder may be a helper of its neighbours
    if (tools.length === 0 && listed) throw new ToolLoadError(file, 'it exports nothing made by defineTool')
    for (const tool of tools) {
      const { name } = tool.manifest.spec
      const other = registry.get(name)
      if (other && other.tool !== tool) throw new ToolLoadError(file, `a tool ${name} is in ${other.file} already`)
      registry.set(name, prepared(tool, file))
    }
  }
  return registry
}

export const manifestsOf = (registry: Registry): ToolManifest[] =>
  [...registry.values()].map(({ tool }) => tool.manifest)
