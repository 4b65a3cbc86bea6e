// Bundles a workflow's file, with all that it imports, into one module: what a run keeps for life.
import { createHash } from 'node:crypto'
import { isBuiltin } from 'node:module'
import { basename, dirname, resolve as resolvePath } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, Message, Plugin } from 'esbuild'
import { z } from 'zod'
import { WORKFLOW_RUNTIME } from '../define/runtime.ts'
import { BUNDLE_NAME, MAP, RUNTIME_FILES } from './stack.ts'

export interface Bundle {
  text: string
  /** SHA-256 of the text, lower-case hex. */
  hash: string
}

const HERE = dirname(fileURLToPath(import.meta.url))
const RUNTIME = fileURLToPath(WORKFLOW_RUNTIME)

/** `stepfleet` is the small part of it that runs in a thread; nothing of node is there. */
const imports: Plugin = {
  name: 'stepfleet',
  setup: ({ onResolve, resolve }) => {
    onResolve({ filter: /^stepfleet$/ }, () => ({ path: RUNTIME }))
    onResolve({ filter: /^zod($|\/)/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (pluginData === 'asked') return undefined
      const own = await resolve(path, { kind, resolveDir, pluginData: 'asked' })
      // a folder of workflows need not be a project of its own
      return own.errors.length === 0 ? own : resolve(path, { kind, resolveDir: HERE, pluginData: 'asked' })
    })
    onResolve({ filter: /.*/ }, ({ path }) => {
      if (!isBuiltin(path)) return undefined
      const text = `${path} is not there in the code of a workflow: what it wants from the world is a step, for example a tool`
      return { errors: [{ text }] }
    })
  },
}

const mapSchema = z.looseObject({ sources: z.array(z.string()) })

/** Names files that lie elsewhere on each machine by what they are. */
const inlineMap = (map: string, folder: string): string => {
  const { sources, ...rest } = mapSchema.parse(JSON.parse(map))
  const named = sources.map((source) => {
    const [inModules] = /node_modules\/(?!.*node_modules\/).*$/.exec(source) ?? []
    if (inModules !== undefined) return inModules
    return dirname(resolvePath(folder, source)) === dirname(RUNTIME) ? `${RUNTIME_FILES}${basename(source)}` : source
  })
  return `//# ${MAP}${Buffer.from(JSON.stringify({ ...rest, sources: named })).toString('base64')}`
}

const textOf = ({ text, location }: Message): string => (location ? `${location.file}:${location.line}: ${text}` : text)

// the parsing edge: esbuild rejects with its own shape
const isBuildFailure = (error: unknown): error is BuildFailure => error instanceof Error && 'errors' in error

/** @throws Error whose lines are what is wrong, each with its place */
export const bundleWorkflow = async (file: string): Promise<Bundle> => {
  // loaded when asked for: who only defines or simulates a workflow bundles nothing
  const { build } = await import('esbuild')
  try {
    const folder = dirname(file)
    const { outputFiles } = await build({
      entryPoints: [basename(file)],
      // relative to the folder: the same files give the same bundle on every machine
      absWorkingDir: folder,
      outdir: folder,
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['import', 'default'],
      target: 'node20',
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'silent',
      // names stay, for the stacks
      minifyWhitespace: true,
      minifySyntax: true,
      sourcemap: 'external',
      sourcesContent: false,
      define: { 'process.env.NODE_ENV': '"production"' },
      // an import whose name is made at run time would reach out of the bundle
      supported: { 'dynamic-import': false },
      plugins: [imports],
    })
    const code = outputFiles.find(({ path }) => !path.endsWith('.map'))?.text ?? ''
    const map = outputFiles.find(({ path }) => path.endsWith('.map'))?.text ?? '{}'
    const text = `${code}//# sourceURL=${BUNDLE_NAME}\n${inlineMap(map, folder)}\n`
    return { text, hash: createHash('sha256').update(text).digest('hex') }
  } catch (error) {
    if (!isBuildFailure(error)) throw error
    throw new Error(error.errors.map(textOf).join('\n'))
  }
}
