// Real processes: started with an environment of their own, waited for, killed; none outlives its test file.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { baseEnv } from './config.ts'
import { eventually } from './patience.ts'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

export interface ProcessSpec {
  name: string
  /** Below the repository's root. */
  script: string
  args?: readonly string[]
  env: Record<string, string>
  logFile: string
  /** Answers 200 when the process does its work. */
  readyUrl: string
}

export interface Process {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  readonly running: boolean
  signal(signal: NodeJS.Signals): void
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** Resolves when it is gone. */
  readonly gone: Promise<void>
  /** Resolves when it does its work; rejects when it ends before. */
  ready(): Promise<void>
}

/** Generous: several of them start at once on a machine that may be busy. */
const READY_MS = 60_000

const lastLines = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join('\n')

const answers = async (url: string): Promise<boolean> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
  await response.arrayBuffer()
  return response.status === 200
}

class Child implements Process {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  readonly gone: Promise<void>
  readonly #child: ChildProcess
  readonly #readyUrl: string

  constructor(spec: ProcessSpec, child: ChildProcess) {
    this.name = spec.name
    this.logFile = spec.logFile
    this.#readyUrl = spec.readyUrl
    this.#child = child
    this.pid = child.pid ?? 0
    this.gone = new Promise((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.gone
  }

  async ready(): Promise<void> {
    let ended = false
    const check = async (): Promise<boolean> => {
      ended = !this.running
      return ended || (await answers(this.#readyUrl))
    }
    await eventually(check, { timeoutMs: READY_MS, everyMs: 40, what: `${this.name} to be ready` })
    if (ended) throw new Error(`${this.name} ended before it was ready:\n${lastLines(this.logFile)}`)
  }
}

/** The processes of one test file. */
export class Processes {
  readonly #all = new Set<Process>()
  #over = false
  readonly #guard = spawn(process.execPath, [join(root, 'e2e/guard.mjs')], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })

  /** Throws after `killAll`: a test that goes on behind its end must not leave anything running. */
  start(spec: ProcessSpec): Process {
    if (this.#over) throw new Error(`${spec.name} is not started: all processes were ended`)
    mkdirSync(dirname(spec.logFile), { recursive: true })
    const log = openSync(spec.logFile, 'a')
    const child = spawn(process.execPath, [join(root, spec.script), ...(spec.args ?? [])], {
      cwd: root,
      env: { ...baseEnv(), ...spec.env },
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    const started = new Child(spec, child)
    this.#all.add(started)
    this.watch(started.pid)
    void started.gone.then(() => {
      this.#all.delete(started)
      this.#guard.stdin?.write(`-${started.pid}\n`)
    })
    return started
  }

  /** Has a process that was started elsewhere ended with these. */
  watch(pid: number): void {
    this.#guard.stdin?.write(`${pid}\n`)
  }

  /** SIGKILL to all. Also ends what is stopped by SIGSTOP. */
  async killAll(): Promise<void> {
    this.#over = true
    await Promise.all([...this.#all].map((one) => one.kill()))
    this.#guard.stdin?.end()
  }
}
