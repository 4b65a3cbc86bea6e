// For the tests over HTTP: a server with a ledger in a folder of its own, and the three SDKs in front of it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { type ScriptedModel, type ScriptedModelOptions, startScriptedModel } from './server.ts'

export type Fixture = ScriptedModel & {
  dir: string
  /** A new server on the same ledger. */
  restart(options?: Partial<ScriptedModelOptions>): Promise<Fixture>
  /** Stops the server and removes its folder. */
  end(): Promise<void>
}

const open = async (dir: string, options: Partial<ScriptedModelOptions>): Promise<Fixture> => {
  const model = await startScriptedModel({ ledger: join(dir, 'ledger.jsonl'), ...options })
  return {
    ...model,
    dir,
    restart: async (more = options) => {
      await model.stop()
      return open(dir, more)
    },
    end: async () => {
      await model.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export const startFixture = (options: Partial<ScriptedModelOptions> = {}): Promise<Fixture> =>
  open(mkdtempSync(join(tmpdir(), 'scripted-model-')), options)

const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

export const anthropicOf = ({ url }: ScriptedModel): Anthropic =>
  new Anthropic({ apiKey: 'any', baseURL: url, maxRetries: 0, logger: silent, webhookKey: null })

export const openaiOf = ({ url }: ScriptedModel): OpenAI =>
  new OpenAI({ apiKey: 'any', baseURL: `${url}/v1`, maxRetries: 0, logger: silent })

export const geminiOf = ({ url }: ScriptedModel): GoogleGenAI =>
  new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: url } })

export const PERSON_SCHEMA = {
  type: 'object',
  properties: { name: { type: 'string' }, mood: { type: 'string', enum: ['glad', 'sad'] } },
  required: ['name', 'mood'],
  additionalProperties: false,
}

/** What an awaited call throws; throws itself when it does not. */
export const thrownBy = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

export const listOf = async <T>(stream: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = []
  for await (const each of stream) list.push(each)
  return list
}
