// The ledger: every call that reached the server, on disk before it is answered. It is evidence, so it is only ever appended to.
import { existsSync, readFileSync, truncateSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { z } from 'zod'

const OUTCOMES = [
  /** It arrived, and the server died before it was answered; or it is still being answered. */
  'begun',
  /** A whole answer, with its terminal event. */
  'answered',
  /** An HTTP error, or an error event inside the stream, by script. */
  'failed',
  /** The stream or the connection was cut by script. */
  'cut',
  /** The client went away before it had the answer. */
  'aborted',
  /** The request was wrong: 400, 401, 404, 413. */
  'rejected',
] as const

const lineSchema = z.object({
  /** From 1, goes on after a restart. Both lines of a call have the same. */
  n: z.int().positive(),
  /** Milliseconds since 1970 by this server's clock. */
  atMs: z.int(),
  model: z.string(),
  ns: z.string().optional(),
  run: z.string().optional(),
  step: z.string().optional(),
  attempt: z.int().optional(),
  delivery: z.int().optional(),
  /** Effect key, or `request:<hash>`. */
  key: z.string(),
  requestHash: z.string(),
  turn: z.int(),
  outcome: z.enum(OUTCOMES),
  /** HTTP status; 0: none was sent (yet). */
  status: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  /** The first 200 characters of the answer's text. */
  text: z.string().optional(),
  /** The directive whose fault was played. */
  fault: z.string().optional(),
})
export type LedgerLine = z.infer<typeof lineSchema>
/** One call: its last line, with the time it arrived and the time of that line. */
export type LedgerEntry = LedgerLine & { endedAtMs: number | null }

/** The lines of a ledger file, in order; a torn last line is left out. A file that is not there has none. */
export const readLines = (file: string): LedgerLine[] => {
  if (!existsSync(file)) return []
  const whole = readFileSync(file, 'utf8')
  return whole
    .slice(0, whole.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => lineSchema.parse(JSON.parse(line)))
}

/** One entry for each call, in the order of arrival. */
export const readLedger = (file: string): LedgerEntry[] => {
  const entries = new Map<number, LedgerEntry>()
  for (const line of readLines(file)) {
    const begun = entries.get(line.n)
    entries.set(line.n, begun ? { ...line, atMs: begun.atMs, endedAtMs: line.atMs } : { ...line, endedAtMs: null })
  }
  return [...entries.values()].sort((a, b) => a.n - b.n)
}

/** Cuts off a line that a crash tore: it was never synced, so nothing was answered on it. */
const mend = (file: string): void => {
  if (!existsSync(file)) return
  const bytes = readFileSync(file)
  const end = bytes.lastIndexOf(0x0a) + 1
  if (end < bytes.length) truncateSync(file, end)
}

interface Waiting {
  text: string
  done: () => void
  failed: (error: unknown) => void
}

export class Ledger {
  readonly #file: FileHandle
  #waiting: Waiting[] = []
  #writing: Promise<void> | null = null

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(file: string): Promise<Ledger> {
    mend(file)
    return new Ledger(await open(file, 'a'))
  }

  /** Resolves when the line is on disk. Lines that come while one is being synced share the next sync. */
  append(line: LedgerLine): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ text: `${JSON.stringify(line)}\n`, done, failed })
      this.#writing ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#file.appendFile(batch.map(({ text }) => text).join(''))
        await this.#file.datasync()
        for (const { done } of batch) done()
      } catch (error) {
        for (const { failed } of batch) failed(error)
      }
    }
    this.#writing = null
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }
}
