// The thread of one bundle: it holds the code of many runs, tells each how its steps ended, and lets it run until
// nothing moves before it says the next. Bundled into one text by thread-source.ts.
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { setImmediate } from 'node:timers'
import { parentPort, workerData } from 'node:worker_threads'
import { removeWorld } from './guard.ts'
import {
  type AdvanceReply,
  type AdvanceRequest,
  type BundledWorkflow,
  type CodeInstance,
  type Described,
  type ThreadData,
  type ThreadReply,
  type ThreadRequest,
  WORKFLOW,
} from './protocol.ts'

const { bundle, maxRuns }: ThreadData = workerData

/** Where the code of a run stands: it was told everything up to `seq`. A run begins with the event 1. */
interface Held {
  code: CodeInstance
  seq: number
}
const BEGUN = 1

const runs = new Map<string, Held>()
/** Whose code is running; what it throws past every promise is its own. */
let moving: CodeInstance | null = null
process.on('uncaughtException', (error) => moving?.fail(error))
// a step's promise that nobody has looked at yet is no mistake
process.on('unhandledRejection', () => undefined)

/** All microtasks are worked off before the next turn of the loop. */
const untilNothingMoves = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const isWorkflow = (value: unknown): value is BundledWorkflow =>
  typeof value === 'object' && value !== null && WORKFLOW in value

type Loaded = { ok: true; workflow: BundledWorkflow } | { ok: false; why: string; stack: string }

const load = async (): Promise<Loaded> => {
  try {
    const exported: Record<string, unknown> = await import(
      `data:text/javascript;base64,${Buffer.from(bundle).toString('base64')}`
    )
    const workflows = [...new Set(Object.values(exported))].filter(isWorkflow)
    const [workflow] = workflows
    if (workflow && workflows.length === 1) return { ok: true, workflow }
    const found = workflows.length === 0 ? 'no workflow' : workflows.map(({ name }) => name).join(', ')
    return {
      ok: false,
      why: `a file exports one workflow of defineWorkflow; this one exports ${found}; helpers lie in folders below`,
      stack: '',
    }
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { ok: false, why, stack: error instanceof Error ? (error.stack ?? '') : '' }
  }
}

removeWorld()
let loading: Promise<Loaded> | null = null
const loaded = (): Promise<Loaded> => {
  loading ??= load()
  return loading
}

const describe = async (): Promise<Described> => {
  const found = await loaded()
  if (!found.ok) return found
  const { name, description, input } = found.workflow
  return { ok: true, name, description, input }
}

const begin = (workflow: BundledWorkflow, { start }: AdvanceRequest): Held | null =>
  start && { code: workflow.begin(start), seq: BEGUN }

/** Puts a run in front and lets the oldest go. */
const keep = (key: string, held: Held): void => {
  runs.delete(key)
  runs.set(key, held)
  const [oldest] = runs.keys()
  if (runs.size > maxRuns && oldest !== undefined) runs.delete(oldest)
}

const advance = async (request: AdvanceRequest): Promise<AdvanceReply> => {
  const found = await loaded()
  if (!found.ok) return { type: 'unloaded', why: found.why, stack: found.stack }
  const { key, fromSeq, ended } = request
  const held = begin(found.workflow, request) ?? runs.get(key)
  if (!held || (!request.start && held.seq !== fromSeq)) return { type: 'lost' }
  const { code } = held
  moving = code
  await untilNothingMoves()
  const { asked, ...now } = code.take()
  for (const one of ended) {
    if (now.state.status !== 'waiting') break
    code.deliver(one)
    held.seq = one.seq
    await untilNothingMoves()
    const taken = code.take()
    now.state = taken.state
    for (const one of taken.asked) asked.push(one)
  }
  moving = null
  const { state } = now
  if (state.status === 'waiting') keep(key, held)
  else runs.delete(key)
  return { type: 'advanced', seq: held.seq, asked, state }
}

const answer = async (request: ThreadRequest): Promise<ThreadReply | null> => {
  switch (request.type) {
    case 'describe':
      return { type: 'described', workflow: await describe() }
    case 'advance':
      return advance(request)
    case 'drop':
      runs.delete(request.key)
      return null
  }
}

parentPort?.on('message', async (request: ThreadRequest) => {
  const reply = await answer(request)
  if (reply) parentPort?.postMessage(reply)
})
