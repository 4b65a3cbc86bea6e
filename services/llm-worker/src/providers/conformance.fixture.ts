// What every provider must do, whatever its protocol: one suite, run for each of them against a scripted server of its own protocol.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Failure, failure, type PriceList, type Usage } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import {
  type Answer,
  type Script,
  type ScriptedModel,
  type StopReason,
  startScriptedModel,
} from '@stepfleet/scripted-model'
import { createAnthropic } from './anthropic.ts'
import type { CallLimits } from './create.ts'
import { createGemini } from './gemini.ts'
import { createOpenAI } from './openai.ts'
import type { ModelAnswer, ModelProvider, ModelRequest } from './provider.ts'
import { requestOf } from './request.fixture.ts'

/** A provider under test. */
export interface Subject {
  name: string
  /** Without the provider. */
  model: string
  create(url: string, limits: CallLimits): ModelProvider
  /** Tokens are told while the answer comes, so a call that breaks off is known to have cost something. */
  tellsUsageEarly: boolean
  /** Broken arguments of a tool reach us as they are; else the provider itself says that they were broken. */
  showsBrokenArguments: boolean
  /** Reasons for stopping that the protocol has a word for, and what they must become. */
  stops: readonly (readonly [stop: StopReason, code: Failure['code']])[]
}

const KEY = { apiKey: 'k', tellStep: true }
export const SUBJECTS: readonly Subject[] = [
  {
    name: 'anthropic',
    model: 'claude-sonnet-5-5',
    create: (baseUrl, limits) => createAnthropic({ ...KEY, ...limits, baseUrl }),
    tellsUsageEarly: true,
    showsBrokenArguments: true,
    stops: [
      ['max_tokens', 'output_truncated'],
      ['refusal', 'refused_by_model'],
      ['tool_use', 'malformed_output'],
    ],
  },
  {
    name: 'openai',
    model: 'gpt-5.4-mini',
    create: (url, limits) =>
      createOpenAI({ ...KEY, ...limits, name: 'openai', compatible: false, baseUrl: `${url}/v1` }),
    tellsUsageEarly: false,
    showsBrokenArguments: true,
    stops: [
      ['max_tokens', 'output_truncated'],
      ['refusal', 'refused_by_model'],
      ['content_filter', 'refused_by_model'],
      ['tool_use', 'malformed_output'],
    ],
  },
  {
    name: 'gemini',
    model: 'gemini-3.8-flash',
    create: (baseUrl, limits) => createGemini({ ...KEY, ...limits, baseUrl }),
    tellsUsageEarly: true,
    showsBrokenArguments: false,
    stops: [
      ['max_tokens', 'output_truncated'],
      ['refusal', 'refused_by_model'],
      ['content_filter', 'refused_by_model'],
      ['malformed_tool_call', 'malformed_output'],
    ],
  },
]

const PRICE = { input: 1_000_000, output: 2_000_000, cacheRead: 100_000, cacheWrite: 1_500_000 }

export interface Outcome {
  answer?: ModelAnswer
  failure?: Failure
  usage: Usage | undefined
}

/** A provider in front of a scripted server; each script starts a new server. */
export class ConformanceBench {
  readonly #dir = mkdtempSync(join(tmpdir(), 'conformance-'))
  readonly #subject: Subject
  #server: ScriptedModel | undefined
  #servers = 0

  constructor(subject: Subject) {
    this.#subject = subject
  }

  get prices(): PriceList {
    const { name, model } = this.#subject
    return { asOf: '2026-11-20', unit: 'micro-dollars per million tokens', models: { [`${name}/${model}`]: PRICE } }
  }

  get url(): string {
    return this.#server?.url ?? ''
  }

  /** How each call ended, as the server saw it. */
  outcomes(): string[] {
    return (this.#server?.calls() ?? []).map(({ outcome }) => outcome)
  }

  async serve(script: Script): Promise<void> {
    await this.#server?.stop()
    this.#servers += 1
    this.#server = await startScriptedModel({ ledger: join(this.#dir, `ledger-${this.#servers}.jsonl`), script })
  }

  provider(limits: Partial<CallLimits> = {}): ModelProvider {
    return this.#subject.create(this.url, { headersMs: 10_000, chunkMs: 10_000, prices: this.prices, ...limits })
  }

  /** One call to a server that answers so. */
  async ask(
    answer: Answer,
    options: { request?: Partial<ModelRequest>; limits?: Partial<CallLimits>; signal?: AbortSignal } = {},
  ): Promise<Outcome> {
    await this.serve(() => answer)
    return this.call(this.provider(options.limits), options.request, options.signal)
  }

  async call(
    provider: ModelProvider,
    request: Partial<ModelRequest> = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Outcome> {
    try {
      const answer = await provider.call(requestOf({ model: this.#subject.model, ...request }), signal)
      return { answer, usage: answer.usage }
    } catch (error) {
      if (!(error instanceof TaskFailure)) throw error
      return { failure: error.failure, usage: error.usage }
    }
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

export const CANCELLED = failure('cancelled', 'the attempt is no longer wanted')
export const FORMAT = {
  type: 'object',
  properties: { verdict: { type: 'string', enum: ['yes', 'no'] } },
  required: ['verdict'],
  additionalProperties: false,
}

/** A turn that asked for tools, in the provider's own words, and what the tools said. */
export const nextTurn = (answer: ModelAnswer, results: readonly string[]): ModelRequest['messages'] => [
  { role: 'user', text: 'tea' },
  { role: 'answer', content: answer.content, text: answer.text, toolUses: answer.toolUses },
  {
    role: 'results',
    results: answer.toolUses.map(({ id }, place) => ({
      id,
      isError: results[place] === undefined,
      content: results[place] ?? 'tool_failed: it broke',
    })),
  },
]
