// Keeps child processes running: starts them, waits until they are ready, starts them again when they die, stops them.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { childEnv } from '../config.ts'

export interface ProcessSpec {
  name: string
  /** Arguments of node. */
  args: string[]
  /** Added to our own environment. */
  env: Record<string, string>
  cwd: string
  /** Gets stdout and stderr, added to what is there. */
  logFile: string
  /** Answers 200 once the process does its work. */
  readyUrl: string
}

export type SupervisorEvent =
  | { type: 'started'; name: string; pid: number }
  /** `how`: exit code or signal. */
  | { type: 'died'; name: string; pid: number; how: string; restartInMs: number }

export interface Supervisor {
  start(spec: ProcessSpec): void
  /** Resolves when its `readyUrl` answers 200; rejects when it keeps dying, after the time, or on stop. */
  ready(name: string, timeoutMs: number): Promise<void>
  /** Of what runs now. */
  pids(): Record<string, number>
  /** Stops these side by side and waits until they are gone; SIGKILL after the grace time. */
  stop(names: readonly string[], graceMs: number): Promise<void>
  /** SIGKILL to everything, at once. */
  killAll(): void
}

export interface SupervisorOptions {
  onEvent: (event: SupervisorEvent) => void
  /** Told of every pid that comes and goes. */
  guard?: { add(pid: number): void; remove(pid: number): void }
}

const FIRST_BACKOFF_MS = 200
const LAST_BACKOFF_MS = 5_000
/** After this long alive a death counts as the first one again. */
const STEADY_MS = 10_000
/** So many deaths before the first readiness, and starting is given up. */
const HOPELESS = 3

interface Entry {
  spec: ProcessSpec
  child: ChildProcess | null
  startedAtMs: number
  deaths: number
  wasReady: boolean
  stopping: boolean
  timer: NodeJS.Timeout | null
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const answers = async (url: string): Promise<boolean> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

const FRAME = /^\s+at |^Node\.js v|^\s*\^*\s*$|^(node|file):/

const lastLines = (file: string): string => {
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    // what was thrown stands above its stack
    return lines
      .filter((line) => !FRAME.test(line))
      .slice(-6)
      .join('\n')
  } catch {
    return '(no log)'
  }
}

const launch = (spec: ProcessSpec): ChildProcess => {
  mkdirSync(dirname(spec.logFile), { recursive: true })
  const log = openSync(spec.logFile, 'a')
  try {
    // a group of its own: Ctrl-C in a terminal would reach all at once, and the order of stopping would be lost
    return spawn(process.execPath, spec.args, {
      cwd: spec.cwd,
      env: childEnv(spec.env),
      stdio: ['ignore', log, log],
      detached: true,
    })
  } finally {
    closeSync(log)
  }
}

const gone = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null || child.pid === undefined

const waitGone = (child: ChildProcess, ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    if (gone(child)) return resolve(true)
    const timer = setTimeout(() => resolve(false), ms)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })

class ProcessSupervisor implements Supervisor {
  private readonly entries = new Map<string, Entry>()
  private readonly options: SupervisorOptions

  constructor(options: SupervisorOptions) {
    this.options = options
  }

  start(spec: ProcessSpec): void {
    const entry = { spec, child: null, startedAtMs: 0, deaths: 0, wasReady: false, stopping: false, timer: null }
    this.entries.set(spec.name, entry)
    this.spawn(entry)
  }

  private spawn(entry: Entry): void {
    const { name } = entry.spec
    const child = launch(entry.spec)
    entry.child = child
    entry.startedAtMs = Date.now()
    entry.timer = null
    const pid = child.pid ?? 0
    if (pid > 0) this.options.guard?.add(pid)
    this.options.onEvent({ type: 'started', name, pid })
    let over = false
    const end = (how: string): void => {
      if (over) return
      over = true
      if (pid > 0) this.options.guard?.remove(pid)
      if (!entry.stopping) this.died(entry, pid, how)
    }
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
    child.once('error', (error) => end(error.message))
  }

  private died(entry: Entry, pid: number, how: string): void {
    entry.deaths = Date.now() - entry.startedAtMs > STEADY_MS ? 1 : entry.deaths + 1
    const restartInMs = Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (entry.deaths - 1))
    this.options.onEvent({ type: 'died', name: entry.spec.name, pid, how, restartInMs })
    entry.timer = setTimeout(() => this.spawn(entry), restartInMs)
  }

  async ready(name: string, timeoutMs: number): Promise<void> {
    const entry = this.entries.get(name)
    if (!entry) throw new Error(`no process is named ${name}`)
    const until = Date.now() + timeoutMs
    const why = (what: string): Error =>
      new Error(`${name} ${what}; ${entry.spec.logFile} ends with:\n${lastLines(entry.spec.logFile)}`)
    while (!(await answers(entry.spec.readyUrl))) {
      if (entry.stopping) throw new Error(`${name} is being stopped`)
      if (!entry.wasReady && entry.deaths >= HOPELESS) throw why(`ended ${entry.deaths} times while it was starting`)
      if (Date.now() > until) throw why(`was not ready within ${timeoutMs / 1_000} s`)
      await sleep(25)
    }
    entry.wasReady = true
  }

  pids(): Record<string, number> {
    const running: Record<string, number> = {}
    for (const [name, { child }] of this.entries) if (child?.pid && !gone(child)) running[name] = child.pid
    return running
  }

  async stop(names: readonly string[], graceMs: number): Promise<void> {
    await Promise.all(names.map((name) => this.stopOne(name, graceMs)))
  }

  private async stopOne(name: string, graceMs: number): Promise<void> {
    const entry = this.entries.get(name)
    if (!entry) return
    entry.stopping = true
    if (entry.timer) clearTimeout(entry.timer)
    const { child } = entry
    if (!child || gone(child)) return
    // a stopped process takes no SIGTERM until it goes on
    child.kill('SIGCONT')
    child.kill('SIGTERM')
    if (await waitGone(child, graceMs)) return
    child.kill('SIGKILL')
    await waitGone(child, 5_000)
  }

  killAll(): void {
    for (const entry of this.entries.values()) {
      entry.stopping = true
      if (entry.timer) clearTimeout(entry.timer)
      entry.child?.kill('SIGKILL')
    }
  }
}

export const createSupervisor = (options: SupervisorOptions): Supervisor => new ProcessSupervisor(options)

/** Starts the guard (guard.ts): what it is told of ends when we do, however we end. */
export const startGuard = (args: string[]): { add(pid: number): void; remove(pid: number): void; end(): void } => {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  // without its guard the fleet works all the same
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  const tell = (text: string): void => {
    if (child.stdin.writable) child.stdin.write(`${text}\n`)
  }
  return { add: (pid) => tell(`+${pid}`), remove: (pid) => tell(`-${pid}`), end: () => child.stdin.end() }
}
