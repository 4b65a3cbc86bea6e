// effect and pay: write their effect key into a file, synced to disk, and then take a moment: the ledger of the chaos run.
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTool } from 'stepfleet'

const file = process.env.BENCH_EFFECTS
const ledger = file ? await open(file, 'a') : null

/** What both are, but for their names and effects. @param {string} tool */
const about = (tool) => ({
  name: tool,
  description: 'Leaves a mark that nothing can take back, and gives its number back doubled.',
  input: {
    type: 'object',
    required: ['n'],
    properties: { n: { type: 'integer' }, ms: { type: 'integer', minimum: 0 } },
    additionalProperties: false,
  },
  run: async ({ n, ms = 0 }, { effectKey }) => {
    if (ledger === null) throw new Error('BENCH_EFFECTS is not set')
    await ledger.appendFile(`${JSON.stringify({ key: effectKey, tool, pid: process.pid, atMs: Date.now() })}\n`)
    await ledger.datasync()
    if (ms > 0) await sleep(ms)
    return { n: 2 * n }
  },
})

// its calls are counted, so that a second one shows whatever the effect allows
export const effect = defineTool({ ...about('effect'), effect: 'idempotent' })

/** The same, but nobody may ever call it a second time. */
export const pay = defineTool({ ...about('pay'), effect: 'once' })
