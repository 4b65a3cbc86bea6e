// What every command gets: the client, where to write, and how.
import { type Client, createClient } from '@stepfleet/client'
import { parseDurationMs } from '@stepfleet/contracts'
import { type Command, InvalidArgumentError } from 'commander'
import { readConfig } from './config.ts'
import { createScreen, type Screen } from './view/screen.ts'

/** Exit codes, as `stepfleet --help` tells them. */
export const EXIT = { completed: 0, error: 1, usage: 2, failed: 3, cancelled: 4, waiting: 5 } as const

export interface Context {
  client: Client
  url: string
  /** One JSON value on stdout instead of text. */
  json: boolean
  color: boolean
  by: string
  screen: Screen
  /** To stdout. */
  print(text: string): void
  printJson(value: unknown): void
  /** To stderr: what is no result. */
  note(text: string): void
  setExit(code: number): void
}

interface GlobalOptions {
  url?: string
  namespace?: string
  json?: boolean
}

export const contextOf = (command: Command): Context => {
  const options = command.optsWithGlobals<GlobalOptions>()
  const config = readConfig()
  const url = options.url ?? config.url
  const namespace = options.namespace ?? config.namespace
  const json = options.json === true
  // with --json stdout holds JSON only, so what is drawn goes to stderr
  const screen = createScreen(json ? process.stderr : process.stdout)
  return {
    client: createClient({ url, ...(namespace ? { namespace } : {}) }),
    url,
    json,
    color: screen.live && !config.noColor,
    by: config.by,
    screen,
    print: (text) => void process.stdout.write(`${text}\n`),
    printJson: (value) => void process.stdout.write(`${JSON.stringify(value)}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    setExit: (code) => {
      process.exitCode = code
    },
  }
}

/** Aborts at the first Ctrl-C or SIGTERM; the second ends the process as ever. */
export const untilInterrupted = (): { signal: AbortSignal; release(): void } => {
  const controller = new AbortController()
  const abort = (): void => {
    release()
    controller.abort()
  }
  const release = (): void => {
    process.removeListener('SIGINT', abort)
    process.removeListener('SIGTERM', abort)
  }
  process.on('SIGINT', abort)
  process.on('SIGTERM', abort)
  return { signal: controller.signal, release }
}

// what commander hands to options and arguments

export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`a whole number from ${min} to ${max} is needed.`)
    return value
  }

export const durationArgument = (text: string): number => {
  const ms = parseDurationMs(text)
  if (ms === null) throw new InvalidArgumentError('a duration is needed, for example 30s or 10m.')
  return ms
}
