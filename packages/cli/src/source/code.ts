// Workflows in code from files: bundled and run as an orchestrator does, a thread for each.
import { resolve } from 'node:path'
import type { ThreadedCodeHost } from '@stepfleet/code-workflows'
import type { HostedWorkflow } from '@stepfleet/simulator'

export const isCodeFile = (file: string): boolean => /\.(ts|mts|js|mjs)$/.test(file)

export interface CodeFiles {
  /** @throws Error that says what is wrong with the file, and where */
  load(file: string): Promise<HostedWorkflow>
  close(): Promise<void>
}

/** `print` is given what the code writes to its console. Nothing is loaded or started before there is a file. */
export const openCodeFiles = (print: (text: string) => void): CodeFiles => {
  let host: ThreadedCodeHost | null = null
  const logger = {
    info: ({ text }: { text?: string }): void => print(text ?? ''),
    warn: (_: object, message: string): void => print(message),
  }
  return {
    load: async (file) => {
      const { bundleWorkflow, ThreadedCodeHost } = await import('@stepfleet/code-workflows')
      const { HostedWorkflow } = await import('@stepfleet/simulator')
      host ??= new ThreadedCodeHost({ logger })
      try {
        const bundle = await bundleWorkflow(resolve(file))
        const described = await host.describe(bundle)
        if (!described.ok) throw new Error(described.why)
        return new HostedWorkflow(described, bundle, host)
      } catch (error) {
        throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`)
      }
    },
    close: async () => host?.close(),
  }
}
