// For the tests of code workflows: files that are gone afterwards, and a run against a host, without an engine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AdvanceCall, Advanced, Bundle, CodeHost, EndedStep } from '@stepfleet/code-workflows'
import type { Json } from '@stepfleet/contracts'

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

const START_MS = 1_700_000_000_000

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
