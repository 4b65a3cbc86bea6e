// A process of its own that ends what a fleet started, should the fleet's own process die without a word (SIGKILL).
// Its stdin is a pipe from the fleet: `+<pid>` and `-<pid>` lines say what runs; the end of the pipe is the death.
import { createInterface } from 'node:readline'

const GRACE_MS = 6_000
const pids = new Set<number>()

const signal = (pid: number, name: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

const endAll = (): void => {
  for (const pid of pids) {
    signal(pid, 'SIGCONT')
    signal(pid, 'SIGTERM')
  }
  const until = Date.now() + GRACE_MS
  const timer = setInterval(() => {
    for (const pid of pids) if (!signal(pid, 0)) pids.delete(pid)
    if (Date.now() > until) for (const pid of pids) signal(pid, 'SIGKILL')
    if (pids.size === 0) clearInterval(timer)
  }, 50)
}

// signals of the terminal are for the fleet; this process ends when there is nothing left to guard
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {})
createInterface({ input: process.stdin })
  .on('line', (text) => {
    const pid = Number(text.slice(1))
    if (text.startsWith('+')) pids.add(pid)
    else pids.delete(pid)
  })
  .on('close', endAll)
