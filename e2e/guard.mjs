// Ends what a test file started, should the file's own process die without a word. Its stdin is a pipe from that
// process: a line `<pid>` for each process; the end of the pipe is the death.
import { createInterface } from 'node:readline'

const pids = new Set()
const killAll = () => {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // gone already
    }
  }
}
createInterface({ input: process.stdin })
  .on('line', (line) => (line.startsWith('-') ? pids.delete(Number(line.slice(1))) : pids.add(Number(line))))
  .on('close', killAll)
