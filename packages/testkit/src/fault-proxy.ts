// A TCP proxy that goes wrong when told to: between a client and Redis, or a client and a provider.
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface FaultProxy {
  host: string
  port: number
  /** Bytes stop in both directions, nothing is lost; new connections are taken and wait. */
  pause(): void
  resume(): void
  /** Resets every connection now; new ones work. */
  cut(): void
  /** While on: connections are reset and new ones are reset at once, as if nobody listened. */
  refuse(on: boolean): void
  /**
   * While on: whatever is sent vanishes, in both directions, and nobody is told. Connections that lost bytes are
   * reset when it is turned off; they could not be trusted any more.
   */
  blackhole(on: boolean): void
  /** Each piece arrives this much later, in order. 0: at once. */
  delay(ms: number): void
  /**
   * Requests arrive, their replies are lost: the connection is reset instead. With a function: once, for the reply
   * to the first request piece it says yes to.
   */
  dropReplies(which: boolean | ((request: Buffer) => boolean)): void
  /** How many connections are open now. */
  connections(): number
  stop(): Promise<void>
}

interface State {
  paused: boolean
  refusing: boolean
  blackhole: boolean
  delayMs: number
  drop: boolean | ((request: Buffer) => boolean)
}

/** One direction: acts later when there is a delay, and never out of order, even when the delay shrinks. */
class Lane {
  private readonly waiting: { atMs: number; act: () => void }[] = []
  private timer: NodeJS.Timeout | undefined
  private readonly state: State

  constructor(state: State) {
    this.state = state
  }

  /** Acts after the delay, and never before what was pushed earlier: timers of different lengths do not keep order. */
  push(act: () => void): void {
    if (this.state.blackhole) return
    if (this.state.delayMs === 0 && this.waiting.length === 0) {
      act()
      return
    }
    const lastAtMs = this.waiting.at(-1)?.atMs ?? 0
    this.waiting.push({ atMs: Math.max(Date.now() + this.state.delayMs, lastAtMs), act })
    this.schedule()
  }

  private schedule(): void {
    const [first] = this.waiting
    if (!first || this.timer) return
    this.timer = setTimeout(() => this.ring(), Math.max(0, first.atMs - Date.now()))
  }

  private ring(): void {
    this.timer = undefined
    const nowMs = Date.now()
    while ((this.waiting[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) this.waiting.shift()?.act()
    this.schedule()
  }
}

class Link {
  private readonly up: Lane
  private readonly down: Lane
  private dropNext = false
  private lost = false
  private readonly client: Socket
  private readonly target: Socket
  private readonly state: State

  constructor(client: Socket, target: Socket, state: State) {
    this.client = client
    this.target = target
    this.state = state
    this.up = new Lane(state)
    this.down = new Lane(state)
  }

  open(onClose: () => void): void {
    const { client, target } = this
    for (const socket of [client, target]) {
      socket.setNoDelay(true)
      // a reset is what this proxy is for
      socket.on('error', () => {})
    }
    client.on('data', (bytes) => this.request(bytes))
    target.on('data', (bytes) => this.reply(bytes))
    const closed = (): void => {
      if (client.destroyed && target.destroyed) onClose()
    }
    client.on('end', () => this.up.push(() => target.end()))
    target.on('end', () => this.down.push(() => client.end()))
    client.on('close', () => {
      this.up.push(() => target.destroy())
      closed()
    })
    target.on('close', () => {
      this.down.push(() => client.destroy())
      closed()
    })
    if (this.state.paused) this.pause()
  }

  private request(bytes: Buffer): void {
    if (this.state.blackhole) {
      this.lost = true
      return
    }
    const { drop } = this.state
    if (typeof drop === 'function' && drop(bytes)) {
      this.state.drop = false
      this.dropNext = true
    }
    this.up.push(() => this.target.write(bytes))
  }

  private reply(bytes: Buffer): void {
    if (this.state.blackhole) {
      this.lost = true
      return
    }
    if (this.dropNext || this.state.drop === true) this.cut()
    else this.down.push(() => this.client.write(bytes))
  }

  pause(): void {
    this.client.pause()
    this.target.pause()
  }

  resume(): void {
    this.client.resume()
    this.target.resume()
  }

  cut(): void {
    this.client.resetAndDestroy()
    this.target.resetAndDestroy()
  }

  /** Cuts what lost bytes in a black hole. */
  heal(): void {
    if (this.lost || this.client.destroyed || this.target.destroyed) this.cut()
  }
}

const listen = (server: Server, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, () => {
      const address = server.address()
      if (typeof address === 'object' && address) resolve(address.port)
      else reject(new Error('the proxy got no port'))
    })
  })

/** Listens on a free port of 127.0.0.1 and forwards to `target`. */
export const faultProxy = async (options: { target: { host: string; port: number } }): Promise<FaultProxy> => {
  const state: State = { paused: false, refusing: false, blackhole: false, delayMs: 0, drop: false }
  const links = new Set<Link>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (state.refusing) {
      client.resetAndDestroy()
      return
    }
    const target = connect({ ...options.target, allowHalfOpen: true })
    const link = new Link(client, target, state)
    links.add(link)
    link.open(() => links.delete(link))
  })
  const host = '127.0.0.1'
  const port = await listen(server, host)
  const each = (act: (link: Link) => void): void => {
    for (const link of [...links]) act(link)
  }
  return {
    host,
    port,
    pause: () => {
      state.paused = true
      each((link) => link.pause())
    },
    resume: () => {
      state.paused = false
      each((link) => link.resume())
    },
    cut: () => each((link) => link.cut()),
    refuse: (on) => {
      state.refusing = on
      if (on) each((link) => link.cut())
    },
    blackhole: (on) => {
      state.blackhole = on
      if (!on) each((link) => link.heal())
    },
    delay: (ms) => {
      state.delayMs = ms
    },
    dropReplies: (which) => {
      state.drop = which
    },
    connections: () => links.size,
    stop: async () => {
      each((link) => link.cut())
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
