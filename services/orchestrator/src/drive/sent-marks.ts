// The marks that messages have left. They are in no hurry: a mark that is late or lost costs one more publication, to a
// claim that is refused. So those of a shard are gathered for a moment and leave as one command.
import type { Logger } from '@stepfleet/runtime'
import type { ShardStore } from '../store/port.ts'

/** Far below the time after which a message counts as late. */
const GATHER_MS = 50

export interface SentMessage {
  ns: string
  run: string
  message: string
}

export class SentMarks {
  readonly #store: Pick<ShardStore, 'sent'>
  readonly #logger: Logger
  readonly #gathered = new Map<number, SentMessage[]>()
  #timer: NodeJS.Timeout | undefined

  constructor(store: Pick<ShardStore, 'sent'>, logger: Logger) {
    this.#store = store
    this.#logger = logger
  }

  add(shard: number, messages: readonly SentMessage[]): void {
    if (messages.length === 0) return
    const gathered = this.#gathered.get(shard)
    if (gathered) gathered.push(...messages)
    else this.#gathered.set(shard, [...messages])
    this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS)
  }

  /** Writes what has been gathered for a shard. Never rejects. */
  async write(shard: number): Promise<void> {
    const messages = this.#gathered.get(shard)
    if (!messages) return
    this.#gathered.delete(shard)
    try {
      await this.#store.sent(shard, messages)
    } catch (error) {
      this.#logger.warn(
        { err: error, shard, messages: messages.length },
        'messages not marked as sent; they leave again',
      )
    }
  }

  /** Writes all that has been gathered. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await Promise.all([...this.#gathered.keys()].map((shard) => this.write(shard)))
  }
}
