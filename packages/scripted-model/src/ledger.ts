// The ledger: every call that reached the server, on disk before it is answered. It is evidence, so it is only ever appended to.
import { existsSync, readFileSync, truncateSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { z } from 'zod'
import { PROTOCOL_NAMES } from './answering/script.ts'

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
  /** The request was wrong, and refused as the API would refuse it. */
  'rejected',
] as const

/** What both kinds of call have. */
const common = {
  /** From 1, goes on after a restart. Both lines of a call have the same. */
  n: z.int().positive(),
  /** Milliseconds since 1970 by this server's clock. */
  atMs: z.int(),
  /** Effect key, idempotency key, or `request:<hash>`. */
  key: z.string(),
  requestHash: z.string(),
  outcome: z.enum(OUTCOMES),
  /** HTTP status; 0: none was sent (yet). */
  status: z.int(),
  /** The directive whose fault was played, or `limit=…` when a limit refused the call. */
  fault: z.string().optional(),
  /** The rule that answered, and what it counted the call by. */
  rule: z.string().optional(),
  scope: z.string().optional(),
  /** The first 200 characters of the answer's text, or why the call was rejected. */
  text: z.string().optional(),
}

const modelLineSchema = z.object({
  // lines of an older ledger name neither
  kind: z.literal('model').default('model'),
  protocol: z.enum(PROTOCOL_NAMES).default('anthropic'),
  ...common,
  model: z.string(),
  ns: z.string().optional(),
  run: z.string().optional(),
  step: z.string().optional(),
  attempt: z.int().optional(),
  delivery: z.int().optional(),
  turn: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
})
export type LedgerLine = z.infer<typeof modelLineSchema>

const effectLineSchema = z.object({
  kind: z.literal('effect'),
  ...common,
  method: z.string(),
  /** With its query. */
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  /** Its first 4,000 characters. */
  body: z.string(),
  /** Whether the effect happened: not for a repeat of a key that is known, nor for a fault before it. */
  applied: z.boolean(),
  /** The call whose answer was given again, because it had the same key. */
  replayOf: z.int().optional(),
  /** What a repeat of the key is answered with. */
  reply: z.object({ status: z.int(), body: z.string() }).optional(),
})
export type EffectLine = z.infer<typeof effectLineSchema>

type Line = LedgerLine | EffectLine
const anyLineSchema = z.union([effectLineSchema, modelLineSchema])

/** One call: its last line, with the time it arrived and the time of that line. */
export type LedgerEntry = LedgerLine & { endedAtMs: number | null }
export type EffectEntry = EffectLine & { endedAtMs: number | null }

/** All lines of a ledger file, in order; a torn last line is left out. A file that is not there has none. */
const allLines = (file: string): Line[] => {
  if (!existsSync(file)) return []
  const whole = readFileSync(file, 'utf8')
  return whole
    .slice(0, whole.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => anyLineSchema.parse(JSON.parse(line)))
}

/** One entry for each call, in the order of arrival. */
const entriesOf = <T extends Line>(lines: readonly T[]): (T & { endedAtMs: number | null })[] => {
  const entries = new Map<number, { line: T; atMs: number; endedAtMs: number | null }>()
  for (const line of lines) {
    const begun = entries.get(line.n)
    entries.set(line.n, { line, atMs: begun?.atMs ?? line.atMs, endedAtMs: begun ? line.atMs : null })
  }
  return [...entries.values()]
    .map(({ line, atMs, endedAtMs }) => ({ ...line, atMs, endedAtMs }))
    .sort((a, b) => a.n - b.n)
}

const isEffect = (line: Line): line is EffectLine => line.kind === 'effect'
const isModel = (line: Line): line is LedgerLine => line.kind === 'model'

/** The lines of model calls in a ledger file, in order; two for each call. */
export const readLines = (file: string): LedgerLine[] => allLines(file).filter(isModel)

/** The model calls in a ledger file, in the order of arrival. */
export const readLedger = (file: string): LedgerEntry[] => entriesOf(readLines(file))

/** The effect calls in a ledger file, in the order of arrival. */
export const readEffects = (file: string): EffectEntry[] => entriesOf(allLines(file).filter(isEffect))

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
  append(line: Line): Promise<void> {
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
