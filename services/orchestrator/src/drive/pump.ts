// pump: commands in, appends out. Runs proceed side by side, each in order; what is ready together is appended in
// one pipeline, and what is appended leaves in one publication.
import { fullRunId } from '@stepfleet/contracts'
import { type Logger, type Publisher, withOwnSpan } from '@stepfleet/runtime'
import type { Appended, Store } from '../store/port.ts'
import { type Entry, isJob, type JudgeDeps, type Judged, judge } from './judge.ts'
import type { Runs } from './runs.ts'

/** Commands of one run that go into one append. */
const COMMANDS_PER_APPEND = 500
/** A run that cannot be judged for a reason of Redis's is tried again after this. */
const AGAIN_MS = 250
/** A command that throws this often is buried. */
export const MAX_TRIALS = 3

export interface PumpDeps extends JudgeDeps {
  store: Store
  publisher: Publisher
  /** What is published leaves Redis's side of the connection after what was appended before it (no Cluster). */
  ordered: boolean
  runs: Runs
  logger: Logger
  /** Epoch under which a shard is owned; undefined: not any more. */
  epochOf(shard: number): number | undefined
  /** A run's next wake was written. */
  armed(shard: number, atMs: number | null): void
  /** The shard belongs to another engine now. */
  deposed(shard: number): void
  /** Reads the shard's mailbox from its start: what is still in it has not been served. */
  reread(shard: number): void
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Pump {
  readonly #deps: PumpDeps
  readonly #inbox = new Map<string, Entry[]>()
  readonly #busy = new Map<string, number>()
  /** Entries that are in memory, by shard: a mailbox read again must not bring them twice. */
  readonly #known = new Map<number, Set<string>>()
  #scheduled = false

  constructor(deps: PumpDeps) {
    this.#deps = deps
  }

  /** Takes entries in; they are worked off in the background. */
  take(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (!this.#remember(entry)) continue
      const key = fullRunId(entry.command.ns, entry.command.run)
      const waiting = this.#inbox.get(key)
      if (waiting) waiting.push(entry)
      else this.#inbox.set(key, [entry])
    }
    this.#schedule()
  }

  /** False when the entry is in memory already. */
  #remember(entry: Entry): boolean {
    const known = this.#known.get(entry.shard) ?? new Set()
    this.#known.set(entry.shard, known)
    if (known.has(entry.id)) return false
    known.add(entry.id)
    return true
  }

  #release(entries: readonly Entry[]): void {
    for (const entry of entries) this.#known.get(entry.shard)?.delete(entry.id)
  }

  /** Nothing of the shard waits or is under way. */
  idle(shard: number): boolean {
    for (const of of this.#busy.values()) if (of === shard) return false
    for (const entries of this.#inbox.values()) if (entries[0]?.shard === shard) return false
    return true
  }

  /** Entries in memory that have not been appended. */
  get backlog(): number {
    let count = 0
    for (const entries of this.#inbox.values()) count += entries.length
    return count
  }

  /** Forgets what waits for a shard that is no longer owned: its next owner reads it from the mailbox. */
  forget(shard: number): void {
    for (const [key, entries] of this.#inbox) if (entries[0]?.shard === shard) this.#inbox.delete(key)
    this.#known.delete(shard)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#round()
    })
  }

  /** One round: all runs that wait and are free, judged and appended together, but for those that are code. */
  async #round(): Promise<void> {
    const batches: { key: string; entries: Entry[] }[] = []
    for (const [key, waiting] of this.#inbox) {
      const [first] = waiting
      if (this.#busy.has(key) || !first) continue
      this.#busy.set(key, first.shard)
      const entries = waiting.splice(0, COMMANDS_PER_APPEND)
      if (waiting.length === 0) this.#inbox.delete(key)
      batches.push({ key, entries })
    }
    // the code of a workflow may take its time: no other run waits for it
    const alone = batches.filter(({ entries }) => this.#isCode(entries))
    const together = batches.filter((batch) => !alone.includes(batch))
    await Promise.all([together, ...alone.map((batch) => [batch])].map((group) => this.#judgeTogether(group)))
  }

  #isCode([first]: readonly Entry[]): boolean {
    return first !== undefined && this.#deps.runs.cached(first.command.ns, first.command.run)?.plan.code != null
  }

  async #judgeTogether(batches: readonly { key: string; entries: Entry[] }[]): Promise<void> {
    if (batches.length === 0) return
    const judged = await Promise.all(batches.map(({ entries }) => this.#judge(entries)))
    await this.#append(judged.filter((one) => one !== null && one !== 'failed'))
    for (const [index, { key, entries }] of batches.entries()) {
      // a run keeps its place until what failed was tried again: its commands must not overtake each other
      if (judged[index] === 'failed') this.#tryLater(key, entries)
      else this.#free(key)
    }
  }

  #free(key: string): void {
    this.#busy.delete(key)
    if (this.#inbox.size > 0) this.#schedule()
  }

  /** Judges one run's batch; null: there was nothing to judge; `failed`: it threw, and nothing has happened. */
  async #judge(entries: Entry[]): Promise<Judged | null | 'failed'> {
    const [first] = entries
    if (!first) return null
    const { ns, run } = first.command
    const epoch = this.#deps.epochOf(first.shard)
    if (epoch === undefined) {
      this.#release(entries)
      return null
    }
    try {
      const workflow = first.command.type === 'start' ? first.command.workflow : undefined
      const loaded = await this.#deps.runs.load(ns, run, workflow)
      if (!loaded) {
        const ids = entries.map((entry) => entry.id)
        this.#deps.logger.warn({ run, entries: ids }, 'commands for a run that does not exist were dropped')
        await this.#deps.store.discard(first.shard, this.#deps.engine, epoch, ids)
        this.#release(entries)
        return null
      }
      const { trace } = first.command
      return await withOwnSpan('append', trace ? { carrier: trace } : {}, () =>
        judge(this.#deps, loaded, entries, epoch),
      )
    } catch (error) {
      this.#deps.runs.drop(ns, run)
      const about = { err: error, run, command: first.command.id, batch: entries.length }
      this.#deps.logger.error(about, 'command could not be judged')
      return 'failed'
    }
  }

  #tryLater(key: string, entries: readonly Entry[]): void {
    setTimeout(() => void this.#tryInOrder(key, entries), AGAIN_MS)
  }

  /** Works the entries of a held run off one by one; the run is free when all are served. */
  async #tryInOrder(key: string, entries: readonly Entry[]): Promise<void> {
    for (const [index, entry] of entries.entries()) {
      if (await this.#tryOnce(entry)) continue
      this.#tryLater(key, entries.slice(index))
      return
    }
    this.#free(key)
  }

  /**
   * One entry by itself, its trials counted durably before it is judged. The one that fails too often is buried, and
   * its run shows it. False: it must be tried again.
   */
  async #tryOnce(entry: Entry): Promise<boolean> {
    try {
      const trials = entry.condemned ? 0 : await this.#deps.store.trial(entry.shard, entry.id)
      if (trials > MAX_TRIALS) {
        await this.#deps.store.bury(entry.shard, entry, `stopped its engine ${MAX_TRIALS} times`)
        entry.condemned = true
      }
      const judged = await this.#judge([entry])
      if (judged === 'failed') {
        // a condemned one lies in `dead`; that its run cannot show it is all that is left to say
        if (entry.condemned) this.#release([entry])
        return entry.condemned === true
      }
      if (judged) await this.#append([judged])
      return true
    } catch (error) {
      this.#deps.logger.warn({ err: error, entry: entry.id }, 'an entry could not be tried; trying again')
      return false
    }
  }

  /** Tries what lay in a mailbox when the shard's last owner died, one entry after another. */
  async tryAlone(entry: Entry): Promise<void> {
    if (!this.#remember(entry)) return
    const key = fullRunId(entry.command.ns, entry.command.run)
    while (this.#busy.has(key)) await pause(AGAIN_MS / 10)
    this.#busy.set(key, entry.shard)
    while (!(await this.#tryOnce(entry))) await pause(AGAIN_MS)
    this.#free(key)
  }

  async #append(judged: readonly Judged[]): Promise<void> {
    if (judged.length === 0) return
    let answers: Appended[]
    let published: Promise<void> | undefined
    try {
      const appending = this.#deps.store.append(judged.map(({ append }) => append))
      // On the same connection, behind the append and without waiting for it: one round trip less in every hand-off. If
      // the append is refused, nothing is out, and no claim is granted for what was published.
      const items = jobsOf(judged)
      if (this.#deps.ordered && items.length > 0) published = this.#deps.publisher.publish(items)
      published?.catch(() => {})
      answers = await appending
    } catch (error) {
      this.#deps.logger.warn({ err: error, runs: judged.length }, 'append failed; the runs are loaded again')
      for (const one of judged) {
        this.#deps.runs.drop(one.run.ns, one.run.run)
        this.#again(one.entries)
      }
      return
    }
    const leaving: Judged[] = []
    for (const [index, one] of judged.entries()) {
      if (this.#settle(one, answers[index] ?? 'conflict')) leaving.push(one)
    }
    await this.publish(leaving, published)
  }

  /** What the append's answer means for the cached run; true: it is in the journal and its messages may leave. */
  #settle(one: Judged, answer: Appended): boolean {
    const { run, append } = one
    const shard = one.entries[0]?.shard ?? 0
    if (answer === 'appended' || answer === 'repeat') {
      this.#release(one.entries)
      this.#deps.runs.keep(run)
      if (append.wakeAtMs !== undefined) this.#deps.armed(shard, append.wakeAtMs)
      this.#deps.runs.snapshot(run).catch((error: unknown) => {
        this.#deps.logger.warn({ err: error, run: run.run }, 'snapshot not written; the next load reads the journal')
      })
      return true
    }
    this.#deps.runs.drop(run.ns, run.run)
    if (answer === 'deposed') {
      const commands = one.entries.length
      this.#deps.logger.warn({ run: run.run, shard, commands }, 'append refused: the shard has another owner')
      this.#deps.deposed(shard)
    } else this.#again(one.entries)
    return false
  }

  /** Whether they were served is not known here; the mailbox knows. */
  #again(entries: readonly Entry[]): void {
    this.#release(entries)
    const shard = entries[0]?.shard
    if (shard !== undefined) setTimeout(() => this.#deps.reread(shard), AGAIN_MS)
  }

  /** Publishes and marks as sent. What fails to leave stays `unsent` and is published by the outbox. */
  async publish(leaving: readonly Judged[], published?: Promise<void>): Promise<void> {
    const jobs = jobsOf(leaving)
    const count = leaving.reduce((sum, { outgoing }) => sum + outgoing.length, 0)
    if (count === 0) return
    try {
      await (published ?? this.#deps.publisher.publish(jobs))
      if (count > jobs.length) await Promise.all(leaving.map((one) => this.#leave(one)))
      const byShard = new Map<number, { ns: string; run: string; message: string }[]>()
      for (const { run, append, entries } of leaving) {
        const shard = entries[0]?.shard ?? 0
        const sent = append.unsent.map((message) => ({ ns: run.ns, run: run.run, message }))
        byShard.set(shard, [...(byShard.get(shard) ?? []), ...sent])
      }
      await Promise.all([...byShard].map(([shard, sent]) => this.#deps.store.sent(shard, sent)))
    } catch (error) {
      this.#deps.logger.warn({ err: error, messages: count }, 'messages did not leave; they stay unsent')
    }
  }

  /** What goes to other runs, and to what the fleet shares: only after the append, in the order of the facts. */
  async #leave({ run, outgoing }: Judged): Promise<void> {
    for (const { seq, message } of outgoing) {
      if (!isJob(message)) await this.#deps.outside.leave({ ns: run.ns, run: run.run, seq }, message)
    }
  }
}

const jobsOf = (judged: readonly Judged[]) =>
  judged.flatMap((one) => one.outgoing.map(({ message }) => message).filter(isJob))
