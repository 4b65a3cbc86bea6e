// Starts a Redis server of our own as a child process, with its data in a folder of the caller's.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { childEnv } from './config.ts'
import { DOCKER_IMAGE, findRedisServer, type RedisServer } from './find.ts'
import { ask, freePort } from './port.ts'
import { run } from './shell.ts'

export interface LocalRedisOptions {
  /** Where its files lie; made when it is not there. Data of an earlier start is taken up again. */
  dir: string
  /** 0 or absent: a free one. */
  port?: number
  /** Default `always`: nothing acknowledged is lost when the power goes. */
  appendfsync?: 'always' | 'everysec'
  /** Gets the server's own log lines and what is done to get a server. */
  log?: (line: string) => void
  /** More arguments of redis-server, for example `['--cluster-enabled', 'yes']`. */
  extra?: string[]
}

export interface LocalRedis {
  url: string
  port: number
  /** Of the server now; changes with `restart`. With Docker: of the docker client. */
  readonly pid: number
  /** Asks it to shut down (data is written) and waits until it is gone; SIGKILL after 10 s. Ends well when it is gone already. */
  stop(): Promise<void>
  /** Sends a signal at once. After SIGKILL wait for `restart` or `stop`. */
  kill(signal: NodeJS.Signals): void
  /** Stops what still runs and starts again on the same port and data. Waits until it answers. */
  restart(): Promise<void>
  /** Called when the server ends without `stop` or `restart`. */
  onExit(listener: (code: number | null) => void): void
}

const READY_MS = 20_000
const STOP_MS = 10_000

interface Place {
  server: RedisServer
  dir: string
  port: number
  container: string
  args: string[]
  log: (line: string) => void
}

const serverArgs = (options: LocalRedisOptions, port: number, dir: string): string[] => [
  ...['--port', String(port), '--dir', dir, '--bind', '127.0.0.1'],
  ...['--appendonly', 'yes', '--appendfsync', options.appendfsync ?? 'always', '--save', ''],
  ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
  ...(options.extra ?? []),
]

const launch = (place: Place): ChildProcess => {
  const { server } = place
  const docker = server.source === 'docker'
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
  const inside = place.args.map((arg) => (arg === place.dir ? '/data' : arg === '127.0.0.1' ? '0.0.0.0' : arg))
  const args = docker
    ? [
        ...['run', '--rm', '--name', place.container, '--user', user, '-v', `${place.dir}:/data`],
        ...['-p', `127.0.0.1:${place.port}:${place.port}`, DOCKER_IMAGE, 'redis-server', ...inside],
        ...['--protected-mode', 'no'],
      ]
    : place.args
  // a group of its own: Ctrl-C in a terminal must reach the fleet first and Redis last
  const child = spawn(server.command, args, {
    env: childEnv(server.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', place.log)
  return child
}

const exited = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/** Resolves when the child is gone; true when that was within the time. */
const gone = (child: ChildProcess, withinMs: number): Promise<boolean> =>
  new Promise((done) => {
    if (exited(child)) return done(true)
    const timer = setTimeout(() => done(false), withinMs)
    child.once('exit', () => {
      clearTimeout(timer)
      done(true)
    })
  })

const waitUntilReady = async (child: ChildProcess, port: number, lastLines: string[]): Promise<void> => {
  const until = Date.now() + READY_MS
  let failed: Error | null = null
  child.once('error', (error) => {
    failed = error
  })
  for (;;) {
    if (failed) throw failed
    if (exited(child))
      throw new Error(`redis-server ended at once (${child.exitCode ?? child.signalCode}): ${lastLines.join(' | ')}`)
    // a reply of LOADING means that it still reads its file
    if ((await ask(port, 'PING'))?.startsWith('+PONG')) return
    if (Date.now() > until) {
      child.kill('SIGKILL')
      throw new Error(
        `redis-server on port ${port} did not answer within ${READY_MS / 1000} s: ${lastLines.join(' | ')}`,
      )
    }
    await new Promise((done) => setTimeout(done, 15))
  }
}

/**
 * Two servers on one append-only file would destroy it: the folder says who uses it, and a server that still
 * runs there is refused.
 */
const refuseSharedFolder = async (dir: string): Promise<void> => {
  const text = await readFile(join(dir, 'server.json'), 'utf8').catch(() => null)
  if (!text) return
  const { pid, port } = JSON.parse(text) as { pid: number; port: number }
  const reply = await ask(port, 'CONFIG GET dir')
  if (!reply?.includes(`\r\n${dir}\r\n`)) return
  throw new Error(
    `a Redis server (pid ${pid}, port ${port}) already uses ${dir}. Stop it (kill ${pid}) or use another folder.`,
  )
}

/** Our process may end without stop(): its servers must not outlive it. */
const running = new Set<LocalRedis>()
const killAtExit = (server: LocalRedis): void => {
  if (process.listeners('exit').indexOf(killRunning) === -1) process.on('exit', killRunning)
  running.add(server)
}
const killRunning = (): void => {
  for (const server of running) server.kill('SIGKILL')
}

class Server implements LocalRedis {
  readonly url: string
  readonly port: number
  private child: ChildProcess | null = null
  private readonly lastLines: string[] = []
  private readonly listeners: ((code: number | null) => void)[] = []
  private readonly place: Place
  private expected = false
  constructor(place: Place) {
    this.place = { ...place, log: (line) => this.line(line, place.log) }
    this.port = place.port
    this.url = `redis://127.0.0.1:${place.port}`
  }

  get pid(): number {
    return this.child?.pid ?? 0
  }

  private line(text: string, log: (line: string) => void): void {
    this.lastLines.push(text)
    if (this.lastLines.length > 5) this.lastLines.shift()
    log(text)
  }

  async start(): Promise<void> {
    this.expected = false
    const child = launch(this.place)
    this.child = child
    killAtExit(this)
    await waitUntilReady(child, this.port, this.lastLines)
    await writeFile(join(this.place.dir, 'server.json'), JSON.stringify({ pid: child.pid, port: this.port }))
    child.once('exit', (code) => {
      if (!this.expected && this.child === child) for (const listener of this.listeners) listener(code)
    })
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.child || exited(this.child)) return
    if (signal === 'SIGKILL' || signal === 'SIGTERM') this.expected = true
    if (this.place.server.source === 'docker') void run('docker', ['kill', '--signal', signal, this.place.container])
    else this.child.kill(signal)
  }

  async stop(): Promise<void> {
    this.expected = true
    running.delete(this)
    const child = this.child
    if (!child) return
    if (!exited(child)) {
      // a stopped process (SIGSTOP) takes no SIGTERM until it goes on
      this.kill('SIGCONT')
      this.kill('SIGTERM')
      if (!(await gone(child, STOP_MS))) {
        this.kill('SIGKILL')
        await gone(child, STOP_MS)
      }
    }
    await rm(join(this.place.dir, 'server.json'), { force: true })
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  onExit(listener: (code: number | null) => void): void {
    this.listeners.push(listener)
  }
}

/** Starts a server and waits until it answers PING. Throws NoRedisError when there is none to be had. */
export const startLocalRedis = async (options: LocalRedisOptions): Promise<LocalRedis> => {
  const log = options.log ?? (() => {})
  const dir = resolve(options.dir)
  await mkdir(dir, { recursive: true })
  await refuseSharedFolder(dir)
  const server = await findRedisServer(log)
  // a free port may be taken between the asking and the start: try another then
  for (let trial = 1; ; trial += 1) {
    const port = options.port || (await freePort())
    const container = `stepfleet-redis-${port}`
    const redis = new Server({ server, dir, port, container, log, args: serverArgs(options, port, dir) })
    try {
      await redis.start()
      return redis
    } catch (error) {
      await redis.stop()
      if (options.port || trial >= 3) throw error
    }
  }
}
