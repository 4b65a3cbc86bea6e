// For the tests over HTTP: the handler with the real SDK in front of a scripted server of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultPrices, type Failure, type LlmInput, type Usage } from '@stepfleet/contracts'
import { TaskFailure, type TaskHandler } from '@stepfleet/runtime'
import { createSchemaChecks } from '@stepfleet/schemas'
import { type LedgerEntry, type Script, type ScriptedModel, startScriptedModel } from '@stepfleet/scripted-model'
import { createConversations } from './conversation.ts'
import { createHandler } from './handle.ts'
import { createAnthropic } from './providers/anthropic.ts'
import { contextOf } from './task.fixture.ts'

export interface Timers {
  headersMs?: number
  chunkMs?: number
}

export interface Failed {
  failure: Failure
  usage: Usage | undefined
}

export interface Bench {
  readonly handler: TaskHandler
  calls(): LedgerEntry[]
  /** A new server, with this script; the ledger starts anew. */
  script(script: Script): Promise<void>
  /** A handler with these timers. */
  timed(timers: Timers): TaskHandler
  /** How an attempt failed; throws when it did not. */
  failing(input: LlmInput, options?: { handler?: TaskHandler; signal?: AbortSignal }): Promise<Failed>
  /** Ends the server; further calls find nobody. */
  silence(): Promise<void>
  stop(): Promise<void>
}

export const TOOL = {
  name: 'lookup',
  description: 'Looks up',
  input: { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] },
}
export const AGENT = { path: 'work', turn: 1, tools: [TOOL], history: [] }

const handlerFor = (baseUrl: string, { headersMs = 10_000, chunkMs = 10_000 }: Timers = {}): TaskHandler =>
  createHandler({
    providers: [createAnthropic({ apiKey: null, baseUrl, tellStep: true, headersMs, chunkMs, prices: defaultPrices })],
    conversations: createConversations(1_000_000),
    checks: createSchemaChecks(),
  })

export const startBench = async (): Promise<Bench> => {
  const dir = mkdtempSync(join(tmpdir(), 'llm-worker-'))
  let servers = 0
  const start = (script?: Script): Promise<ScriptedModel> => {
    servers += 1
    return startScriptedModel({ ledger: join(dir, `ledger-${servers}.jsonl`), ...(script ? { script } : {}) })
  }
  let model = await start()
  let alive = true
  let handler = handlerFor(model.url)
  const silence = async (): Promise<void> => {
    if (alive) await model.stop()
    alive = false
  }
  return {
    get handler() {
      return handler
    },
    calls: () => model.calls(),
    script: async (script) => {
      await silence()
      model = await start(script)
      alive = true
      handler = handlerFor(model.url)
    },
    timed: (timers) => handlerFor(model.url, timers),
    failing: async (input, { handler: using = handler, signal } = {}) => {
      const context = contextOf(input, signal ? { signal } : {})
      try {
        await using.run(context)
      } catch (error) {
        return {
          failure: using.classify(error, context),
          usage: error instanceof TaskFailure ? error.usage : undefined,
        }
      }
      throw new Error('it did not fail')
    },
    silence,
    stop: async () => {
      await silence()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
