// OpenAI's Chat Completions API and the servers that speak like it, always streamed, without a retry of its own: the engine decides
// about those.
import type { PriceList } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import OpenAI from 'openai'
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { failureOf, faultOf, StreamBroken } from '../failure.ts'
import { answerOf, type Called, usageOf } from './collected.ts'
import { type Dialect, paramsOf } from './openai-request.ts'
import { ChatCollector } from './openai-stream.ts'
import type { ModelAnswer, ModelProvider, ModelRequest } from './provider.ts'
import { providerFetch } from './provider-fetch.ts'

export interface OpenAIOptions {
  /** The name before the `/` of a model. */
  name: string
  /** null: the other side wants none. */
  apiKey: string | null
  /** With its version: `https://api.openai.com/v1` */
  baseUrl: string
  /** True for servers that only speak like OpenAI: Ollama, vLLM, a gateway. They may lack usage and schemas. */
  compatible: boolean
  /** Tell the other side step and effect key, in headers. Not for the real API, which has no use for them. */
  tellStep: boolean
  /** How long until the headers come, milliseconds. */
  headersMs: number
  /** How long the answer may be silent, milliseconds. The limit on all of it is the signal's. */
  chunkMs: number
  prices: PriceList
}

const SILENT = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

/** A server that knows no schemas says so before it does anything. */
const refusesFormat = (error: unknown): boolean => {
  if (!(error instanceof TaskFailure)) return false
  const { http, message } = error.failure
  return (http === 400 || http === 422 || http === 501) && /response_format|json_schema|grammar|guided/i.test(message)
}

class OpenAIProvider implements ModelProvider {
  readonly name: string
  readonly #client: OpenAI
  readonly #options: OpenAIOptions

  constructor(options: OpenAIOptions) {
    this.name = options.name
    this.#options = options
    this.#client = new OpenAI({
      apiKey: options.apiKey ?? 'none',
      baseURL: options.baseUrl,
      // else the SDK takes these from the environment, also for servers that are not OpenAI's
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      maxRetries: 0,
      fetch: providerFetch(options),
      // it logs to the console, and what it logs are pieces of answers
      logger: SILENT,
      logLevel: 'off',
    })
  }

  async call(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer> {
    try {
      return await this.#ask(request, signal, true)
    } catch (error) {
      if (!this.#options.compatible || request.format === null || !refusesFormat(error)) throw error
      // not a retry: the first request was refused as it stood, and the schema is in the prompt too
      return this.#ask(request, signal, false)
    }
  }

  async #ask(request: ModelRequest, signal: AbortSignal, held: boolean): Promise<ModelAnswer> {
    const collector = new ChatCollector(request.effectKey)
    const called: Called = { model: `${this.name}/${request.model}`, prices: this.#options.prices, scripted: false }
    const dialect: Dialect = { name: this.name, compatible: this.#options.compatible }
    try {
      const { data: stream, response } = await this.#client.chat.completions
        .create(paramsOf(request, dialect, held), { signal, headers: this.#headers(request) })
        .withResponse()
      called.scripted = response.headers.get('x-scripted') === '1'
      await this.#read(stream, collector)
    } catch (error) {
      throw new TaskFailure(failureOf(error, signal), usageOf(collector.result().tokens, called))
    }
    return answerOf(collector.result(), called, signal)
  }

  #headers({ effectKey, taskId }: ModelRequest): Record<string, string> {
    return this.#options.tellStep ? { 'x-stepfleet-effect-key': effectKey, 'x-stepfleet-task': taskId } : {}
  }

  async #read(stream: AsyncIterable<ChatCompletionChunk>, collector: ChatCollector): Promise<void> {
    try {
      for await (const chunk of stream) collector.add(chunk)
    } catch (error) {
      const kind = faultOf(error)?.kind
      if (kind === 'refused' || kind === 'stalled' || kind === 'endless') throw error
      throw new StreamBroken(`the answer broke off: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

export const createOpenAI = (options: OpenAIOptions): ModelProvider => new OpenAIProvider(options)
