// Adds lines to a log file, in order.
import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

export const createFileLog = (file: string): ((line: string) => void) => {
  mkdirSync(dirname(file), { recursive: true })
  const stream = createWriteStream(file, { flags: 'a' })
  // a full disk must not take the fleet down: its Redis says so itself
  stream.on('error', () => {})
  return (line) => void stream.write(`${line}\n`)
}
