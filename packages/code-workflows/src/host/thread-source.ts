// The thread's own code as one text. From sources a thread could not load a .ts file, and where this file lies beside
// compiled ones it makes no difference: a thread is started from text, and nothing is written anywhere.
import { fileURLToPath } from 'node:url'

const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

let made: Promise<URL> | null = null

const make = async (): Promise<URL> => {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(ENTRY)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
  })
  const text = outputFiles[0]?.contents ?? new Uint8Array()
  return new URL(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)
}

/** A URL that a Worker starts from; made once per process. */
export const threadSource = (): Promise<URL> => {
  made ??= make()
  return made
}
