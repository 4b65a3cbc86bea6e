// The evidence that is checked: journals by the API, and the ledgers of the model and the tools, which the system cannot edit.
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { type Api, expectOk } from './http.ts'

/** The parts of a journal's event that checks look at. */
export interface JournalEvent {
  seq: number
  atMs: number
  type: string
  path?: string
  /** Of `escalation.resolved`. */
  action?: string
  output?: { value: unknown } | { blob: string }
}

export interface ModelCall {
  n: number
  key: string
  /** When it arrived. */
  atMs: number
  /** `begun` while no answer was finished. */
  outcome: string
}

export interface ToolCall {
  key: string
  /** `effect`, or `pay`, which is of effect `once`. */
  tool: string
  /** Worker's process. */
  pid: number
  atMs: number
}

/** Whole lines of JSON; a torn last one is left out. */
const linesOf = <T>(file: string): T[] => {
  if (!existsSync(file)) return []
  const text = readFileSync(file, 'utf8')
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

/** One entry for each call that reached the model, with the outcome of its last line. */
export const readModelCalls = (file: string): ModelCall[] => {
  const calls = new Map<number, ModelCall>()
  for (const line of linesOf<ModelCall>(file)) {
    const first = calls.get(line.n)
    calls.set(line.n, first ? { ...first, outcome: line.outcome } : line)
  }
  return [...calls.values()]
}

export const readToolCalls = (file: string): ToolCall[] => linesOf<ToolCall>(file)

const TAIL_BYTES = 4_096

/** The newest calls; cheap, so that it can be asked every few milliseconds. */
export const lastToolCalls = (file: string): ToolCall[] => {
  if (!existsSync(file)) return []
  const handle = openSync(file, 'r')
  const { size } = fstatSync(handle)
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES))
  readSync(handle, tail, 0, tail.length, size - tail.length)
  closeSync(handle)
  const text = tail.toString('utf8')
  // the first line may be cut
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(size > TAIL_BYTES ? 1 : 0)
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ToolCall)
}

/** All events of a run. */
export const readJournal = async (api: Api, run: string): Promise<JournalEvent[]> => {
  const events: JournalEvent[] = []
  for (let from: number | null = 1; from !== null; ) {
    const path: string = `/v1/runs/${run}/journal?limit=1000&from=${from}`
    const page: { events: JournalEvent[]; next: number | null } = expectOk(await api.get(path))
    events.push(...page.events)
    from = page.next
  }
  return events
}

/** All events of many runs, by run. */
export const readJournals = async (api: Api, runs: readonly string[]): Promise<Map<string, JournalEvent[]>> => {
  const journals = new Map<string, JournalEvent[]>()
  const left = [...runs]
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let run = left.pop(); run; run = left.pop()) journals.set(run, await readJournal(api, run))
    }),
  )
  return journals
}
