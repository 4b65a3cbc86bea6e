// The tools of the end-to-end tests. Each writes into a file that only it and the tests know what it is about to do
// and what it has done, synced before it goes on.
import { existsSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTool } from 'stepfleet'

const file = process.env.E2E_EFFECTS
if (!file) throw new Error('E2E_EFFECTS names the ledger of these tools')
const fd = openSync(file, 'a')

const write = (tool, phase, input, { effectKey, attempt }) => {
  const line = { atMs: Date.now(), tool, phase, key: effectKey, attempt, pid: process.pid, input }
  writeSync(fd, `${JSON.stringify(line)}\n`)
  fsyncSync(fd)
}

const tool = (name, effect, act) =>
  defineTool({
    name,
    description: `The tool ${name} of the end-to-end tests.`,
    input: { type: 'object' },
    effect,
    timeout: '60s',
    run: async (input, context) => {
      write(name, 'begun', input, context)
      const result = await act(input, context)
      write(name, 'done', input, context)
      return result
    },
  })

/** Waits until the test makes the file. */
const opened = async (path, signal) => {
  while (!existsSync(path)) await sleep(20, undefined, { signal })
}

export const noop = defineTool({
  name: 'noop',
  description: 'Does nothing.',
  input: { type: 'object' },
  effect: 'read',
  run: () => ({ ok: true }),
})

export const note = tool('note', 'idempotent', ({ text }) => ({ text: text ?? null }))

/** `gate`: a file it waits for. */
export const wait = tool('wait', 'idempotent', async ({ gate }, { signal }) => {
  await opened(gate, signal)
  return { ok: true }
})

/** Cannot be taken back. `gate`: a file it waits for after it has acted. */
export const pay = tool('pay', 'once', async ({ amount, gate }, { signal }) => {
  if (gate) await opened(gate, signal)
  return { paid: amount ?? null }
})

/** Holds the event loop. */
export const spin = tool('spin', 'idempotent', ({ ms }) => {
  const until = performance.now() + ms
  while (performance.now() < until);
  return { ok: true }
})

/** Kills whoever takes it. */
export const poison = tool('poison', 'idempotent', async () => {
  process.kill(process.pid, 'SIGKILL')
  await sleep(60_000)
})

/** Takes only `{"good": true}`. */
export const picky = tool('picky', 'idempotent', ({ good }) => {
  if (good !== true) throw new Error('this is not good')
  return { taken: true }
})
