// The thread of one bundle, with the code of many runs. Bundled into one text by thread-source.ts.
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { removeWorld } from './guard.ts'
import { Instances } from './instances.ts'
import {
  type AdvanceReply,
  type AdvanceRequest,
  type BundledWorkflow,
  type Described,
  type ThreadData,
  type ThreadReply,
  type ThreadRequest,
  WORKFLOW,
} from './protocol.ts'

const { bundle, maxRuns }: ThreadData = workerData

const instances = new Instances(maxRuns)
// what code throws past every promise is its own
process.on('uncaughtException', (error) => instances.moving?.fail(error))
// a step's promise that nobody has looked at yet is no mistake
process.on('unhandledRejection', () => undefined)

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

const advance = async (request: AdvanceRequest): Promise<AdvanceReply> => {
  const found = await loaded()
  if (!found.ok) return { type: 'unloaded', why: found.why, stack: found.stack }
  return instances.advance(found.workflow, request)
}

const answer = async (request: ThreadRequest): Promise<ThreadReply | null> => {
  switch (request.type) {
    case 'describe':
      return { type: 'described', workflow: await describe() }
    case 'advance':
      return advance(request)
    case 'drop':
      instances.drop(request.key)
      return null
  }
}

parentPort?.on('message', async (request: ThreadRequest) => {
  const reply = await answer(request)
  if (reply) parentPort?.postMessage(reply)
})
