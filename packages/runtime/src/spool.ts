// The spool: outcomes that Redis could not take when they were in hand. Each lies in a file (fsynced) until Redis has
// it, also over a restart of the worker: a paid answer is never dropped.
//
// A file is written under a temporary name and renamed, so under its own name it is whole or not there. Sending one
// twice is harmless: a report is recognised by its token.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { commandSchema, taskId } from '@stepfleet/contracts'
import { z } from 'zod'
import type { Logger } from './logger.ts'

/** An outcome with its output inline, however large: making it a blob needs Redis too. */
export const spooledSchema = z.strictObject({
  v: z.literal(1),
  /** The claim it is reported under. */
  token: z.string().min(1),
  command: commandSchema.refine((command) => command.type === 'outcome', 'not an outcome'),
})
type OutcomeCommand = Extract<z.infer<typeof commandSchema>, { type: 'outcome' }>
export interface Spooled {
  token: string
  command: OutcomeCommand
}

export type Sent = 'reported' | 'repeat' | 'late'

export interface Spool {
  /** Takes in what former processes left and tries once to send it. Rejects when the folder cannot be used. */
  start(): Promise<void>
  /** Sends now, or keeps it: when this resolves, the outcome is in Redis or on disk. */
  deliver(item: Spooled): Promise<Sent | 'spooled'>
  /** Outcomes that Redis does not have yet. */
  size(): number
  /** Tries for `limitMs` more, then leaves the rest to the next start. */
  stop(limitMs: number): Promise<void>
}

export interface SpoolOptions {
  /** Folder of this service; made when missing. Processes may share it. */
  dir: string
  send: (item: Spooled) => Promise<Sent>
  logger: Logger
  /** How long Redis may take to answer before an outcome is written to disk. */
  answerMs?: number
  /** Pauses between rounds of sending: from, and doubling up to. */
  backoff?: { fromMs: number; toMs: number }
}

const ANSWER_MS = 2_000
const BACKOFF = { fromMs: 250, toMs: 2_000 }
/** A temporary file as old as this has lost its writer. */
const TORN_AFTER_MS = 60_000
/** File systems allow 255 bytes for a name; task ids may be longer. */
const NAME_MAX = 150

interface Entry {
  item: Spooled
  /** null: could not be written; kept in memory only. */
  file: string | null
  /** The call that Redis has not answered yet; there is never more than one per entry. */
  sending: Promise<Sent> | null
}

type Answer = { status: 'sent'; sent: Sent } | { status: 'refused'; error: unknown } | { status: 'silent' }

const within = async (sending: Promise<Sent>, ms: number): Promise<Answer> => {
  let timer: NodeJS.Timeout | undefined
  const silent = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve({ status: 'silent' }), ms)
  })
  const answered = sending.then(
    (sent): Answer => ({ status: 'sent', sent }),
    (error: unknown): Answer => ({ status: 'refused', error }),
  )
  const answer = await Promise.race([answered, silent])
  clearTimeout(timer)
  return answer
}

const taskOf = ({ command }: Spooled): string => taskId({ ns: command.ns, run: command.run, ...command.outcome })

const nameOf = (item: Spooled): string => {
  const encoded = encodeURIComponent(taskOf(item))
  const short =
    encoded.length <= NAME_MAX
      ? encoded
      : `${encoded.slice(0, NAME_MAX)}-${createHash('sha256').update(encoded).digest('hex').slice(0, 16)}`
  // with the token: a time-out and the late answer after it are two outcomes of one task
  return `${short}.${createHash('sha256').update(item.token).digest('hex').slice(0, 16)}.json`
}

const syncFolder = async (dir: string): Promise<void> => {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const writeDurably = async (dir: string, name: string, text: string): Promise<void> => {
  const temporary = join(dir, `${name}.${randomBytes(4).toString('hex')}.tmp`)
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, join(dir, name))
  await syncFolder(dir)
}

const parse = (text: string): Spooled | null => {
  try {
    const { token, command } = spooledSchema.parse(JSON.parse(text))
    return command.type === 'outcome' ? { token, command } : null
  } catch {
    return null
  }
}

class FileSpool implements Spool {
  readonly #options: SpoolOptions
  readonly #answerMs: number
  readonly #backoff: { fromMs: number; toMs: number }
  readonly #entries = new Set<Entry>()
  #loop: Promise<void> | null = null
  #wake: () => void = () => {}
  #stopped = false

  constructor(options: SpoolOptions) {
    this.#options = options
    this.#answerMs = options.answerMs ?? ANSWER_MS
    this.#backoff = options.backoff ?? BACKOFF
  }

  async start(): Promise<void> {
    const { dir, logger } = this.#options
    await mkdir(dir, { recursive: true, mode: 0o700 })
    for (const name of (await readdir(dir)).sort()) await this.#takeIn(name)
    if (this.#entries.size === 0) return
    logger.info({ outcomes: this.#entries.size }, 'sending outcomes that a former process left')
    await this.#round()
    this.#startLoop()
  }

  async deliver(item: Spooled): Promise<Sent | 'spooled'> {
    // a call that throws at once is an answer like a rejected one
    const sending = Promise.resolve().then(() => this.#options.send(item))
    const answer = await within(sending, this.#answerMs)
    if (answer.status === 'sent') return answer.sent
    const entry: Entry = { item, file: null, sending: answer.status === 'silent' ? sending : null }
    // kept before it is written: a full disk must not lose it while the process lives
    this.#entries.add(entry)
    await this.#write(entry, answer)
    this.#startLoop()
    return 'spooled'
  }

  size(): number {
    return this.#entries.size
  }

  async stop(limitMs: number): Promise<void> {
    const until = performance.now() + limitMs
    while (this.#entries.size > 0 && performance.now() < until) {
      if (!(await this.#round(Math.max(1, until - performance.now())))) break
    }
    this.#stopped = true
    this.#wake()
    if (this.#entries.size > 0) {
      this.#options.logger.warn({ outcomes: this.#entries.size }, 'outcomes stay in the spool until the next start')
    }
  }

  async #write(entry: Entry, answer: Answer): Promise<void> {
    const { dir, logger } = this.#options
    const name = nameOf(entry.item)
    const why = answer.status === 'refused' ? { err: answer.error } : { waitedMs: this.#answerMs }
    try {
      await writeDurably(dir, name, JSON.stringify({ v: 1, ...entry.item }))
      entry.file = name
      logger.warn({ task: taskOf(entry.item), ...why }, 'redis does not take the outcome: spooled')
    } catch (error) {
      logger.error({ task: taskOf(entry.item), err: error }, 'outcome could not be spooled: it is only in memory')
    }
  }

  async #takeIn(name: string): Promise<void> {
    const { dir } = this.#options
    if (name.endsWith('.tmp')) {
      const written = await stat(join(dir, name)).catch(() => null)
      if (written && Date.now() - written.mtimeMs > TORN_AFTER_MS) await this.#moveAside(name)
      return
    }
    if (!name.endsWith('.json')) return
    try {
      const item = parse(await readFile(join(dir, name), 'utf8'))
      if (item) this.#entries.add({ item, file: name, sending: null })
      else await this.#moveAside(name)
    } catch (error) {
      // sent and removed by a neighbour meanwhile, or unreadable
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      await this.#moveAside(name)
    }
  }

  async #moveAside(name: string): Promise<void> {
    const { dir, logger } = this.#options
    logger.error({ file: join(dir, name) }, 'spool file cannot be read: moved aside as .bad')
    await rename(join(dir, name), join(dir, `${name}.bad`)).catch((error: unknown) =>
      logger.error({ err: error }, 'spool file cannot be moved aside'),
    )
  }

  async #forget(entry: Entry, sent: Sent): Promise<void> {
    const { dir, logger } = this.#options
    this.#entries.delete(entry)
    logger.info({ task: taskOf(entry.item), sent }, 'spooled outcome sent')
    if (entry.file === null) return
    // a file that stays is sent again at the next start, and recognised
    await rm(join(dir, entry.file), { force: true }).catch((error: unknown) =>
      logger.error({ err: error }, 'spool file cannot be removed'),
    )
  }

  /** Tries all once, ends early when Redis is silent. True when something was sent. */
  async #round(answerMs = this.#answerMs): Promise<boolean> {
    let progress = false
    for (const entry of [...this.#entries]) {
      const sending = entry.sending ?? Promise.resolve().then(() => this.#options.send(entry.item))
      entry.sending = sending
      const answer = await within(sending, answerMs)
      if (answer.status === 'silent') return progress
      entry.sending = null
      if (answer.status === 'sent') {
        progress = true
        if (this.#entries.has(entry)) await this.#forget(entry, answer.sent)
      } else this.#options.logger.debug({ task: taskOf(entry.item), err: answer.error }, 'outcome refused by redis')
    }
    return progress
  }

  #startLoop(): void {
    if (this.#loop || this.#stopped) return
    this.#loop = this.#sendAll().finally(() => {
      this.#loop = null
    })
  }

  async #sendAll(): Promise<void> {
    let pauseMs = this.#backoff.fromMs
    while (this.#entries.size > 0 && !this.#stopped) {
      await this.#pause(pauseMs)
      const progress = await this.#round()
      pauseMs = progress ? this.#backoff.fromMs : Math.min(pauseMs * 2, this.#backoff.toMs)
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

export const createSpool = (options: SpoolOptions): Spool => new FileSpool(options)
