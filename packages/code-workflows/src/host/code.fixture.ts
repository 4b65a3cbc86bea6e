// For the tests of code workflows: a workflow out of a text, and a run of it against a host, without an engine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from '@stepfleet/contracts'
import { type Bundle, bundleWorkflow } from '../bundle/bundle.ts'
import type { AdvanceCall, Advanced, CodeHost } from './host.ts'
import type { EndedStep } from './protocol.ts'

/** Files in a folder of their own, gone when the test has ended. */
export const withFiles = async <T>(files: Record<string, string>, act: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), 'stepfleet-code-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return await act(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The bundle of a workflow whose code is the given body of an async function of `(run, input)`. */
export const bundleOf = (body: string, before = ''): Promise<Bundle> => {
  const text = [
    `import { defineWorkflow, StepError } from 'stepfleet'`,
    before,
    `export const flow = defineWorkflow({ name: 'flow' }, async (run, input) => {`,
    body,
    `})`,
    `void StepError`,
  ].join('\n')
  return withFiles({ 'flow.ts': text }, (folder) => bundleWorkflow(join(folder, 'flow.ts')))
}

export const START_MS = 1_700_000_000_000

/** A call that begins the code. */
export const firstCall = (bundle: Bundle, input: Json = null, run = 'r1'): AdvanceCall => ({
  ns: 'default',
  run,
  hash: bundle.hash,
  bundle: bundle.text,
  input,
  startedAtMs: START_MS,
  fromSeq: 0,
  ended: [],
})

export const completed = (name: string, seq: number, output: Json = null): EndedStep => ({
  name,
  seq,
  atMs: START_MS + seq,
  result: { status: 'completed', output },
})

/** An advance that finds its instance; fails when it is lost. */
export const advanced = async (host: CodeHost, call: AdvanceCall): Promise<Advanced> => {
  const answer = await host.advance(call)
  if (answer === 'lost') throw new Error(`the code of ${call.run} is lost`)
  return answer
}
