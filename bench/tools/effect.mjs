// effect: writes its effect key into a file, synced to disk, and then takes a moment: the ledger of the chaos run.
import { fsyncSync, openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTool } from 'stepfleet'

const file = process.env.BENCH_EFFECTS
const ledger = file ? openSync(file, 'a') : null

export const effect = defineTool({
  name: 'effect',
  description: 'Leaves a mark that nothing can take back, and gives its number back doubled.',
  input: {
    type: 'object',
    required: ['n'],
    properties: { n: { type: 'integer' }, ms: { type: 'integer', minimum: 0 } },
    additionalProperties: false,
  },
  // its calls are counted, so that a second one shows whatever the effect allows
  effect: 'idempotent',
  run: async ({ n, ms = 0 }, { effectKey }) => {
    if (ledger === null) throw new Error('BENCH_EFFECTS is not set')
    writeSync(ledger, `${JSON.stringify({ key: effectKey, pid: process.pid, atMs: Date.now() })}\n`)
    fsyncSync(ledger)
    if (ms > 0) await sleep(ms)
    return { n: 2 * n }
  },
})
