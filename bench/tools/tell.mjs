// tell: a no-op that says over a socket that it was called and when; how the benchmark learns of a hand-off without asking.
import { connect } from 'node:net'
import { defineTool } from 'stepfleet'

const port = Number(process.env.BENCH_TELL_PORT || 0)
const socket = port > 0 ? connect(port, '127.0.0.1') : null
socket?.setNoDelay(true)
socket?.on('error', () => {})

export const tell = defineTool({
  name: 'tell',
  description: 'Does nothing and tells the benchmark.',
  input: { type: 'object' },
  effect: 'read',
  run: (_, { effectKey }) => {
    socket?.write(`${effectKey} ${performance.timeOrigin + performance.now()}\n`)
    return { ok: true }
  },
})
