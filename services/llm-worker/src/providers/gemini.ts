// Google's Gemini API, always streamed. The SDK retries only where it is told to, so it never does: the engine decides about those.
import { type GenerateContentResponse, GoogleGenAI } from '@google/genai'
import type { PriceList } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { failureOf, faultOf, StreamBroken } from '../failure.ts'
import { answerOf, type Called, usageOf } from './collected.ts'
import { paramsOf } from './gemini-request.ts'
import { ContentCollector } from './gemini-stream.ts'
import type { ModelAnswer, ModelProvider, ModelRequest } from './provider.ts'
import { providerFetch } from './provider-fetch.ts'

export interface GeminiOptions {
  /** null: the other side wants none. */
  apiKey: string | null
  /** Without its version, which the SDK adds. */
  baseUrl: string
  /** Tell the other side step and effect key, in headers. Not for the real API, which has no use for them. */
  tellStep: boolean
  /** How long until the headers come, milliseconds. */
  headersMs: number
  /** How long the answer may be silent, milliseconds. The limit on all of it is the signal's. */
  chunkMs: number
  prices: PriceList
}

const PROVIDER = 'gemini'

class GeminiProvider implements ModelProvider {
  readonly name = PROVIDER
  readonly #client: GoogleGenAI
  readonly #options: GeminiOptions

  constructor(options: GeminiOptions) {
    this.#options = options
    this.#client = new GoogleGenAI({
      apiKey: options.apiKey ?? 'none',
      // else a variable of the environment turns it to another service
      enterprise: false,
      // no `timeout`: the SDK's would run until the last byte of the answer
      httpOptions: { baseUrl: options.baseUrl, fetch: providerFetch(options) },
    })
  }

  async call(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer> {
    const collector = new ContentCollector(request.effectKey)
    const called: Called = { model: `${PROVIDER}/${request.model}`, prices: this.#options.prices, scripted: false }
    // the SDK leaves the connection open when it stops reading, so it is closed here
    const hangUp = new AbortController()
    try {
      const { config, ...params } = paramsOf(request)
      const stream = await this.#client.models.generateContentStream({
        ...params,
        config: {
          ...config,
          abortSignal: AbortSignal.any([signal, hangUp.signal]),
          httpOptions: { headers: this.#headers(request) },
        },
      })
      await this.#read(stream, collector, called)
    } catch (error) {
      throw new TaskFailure(failureOf(error, signal), usageOf(collector.result().tokens, called))
    } finally {
      hangUp.abort()
    }
    return answerOf(collector.result(), called, signal)
  }

  #headers({ effectKey, taskId }: ModelRequest): Record<string, string> {
    return this.#options.tellStep ? { 'x-stepfleet-effect-key': effectKey, 'x-stepfleet-task': taskId } : {}
  }

  async #read(
    stream: AsyncIterable<GenerateContentResponse>,
    collector: ContentCollector,
    called: Called,
  ): Promise<void> {
    try {
      for await (const chunk of stream) {
        called.scripted ||= chunk.sdkHttpResponse?.headers?.['x-scripted'] === '1'
        collector.add(chunk)
      }
    } catch (error) {
      const kind = faultOf(error)?.kind
      if (kind === 'refused' || kind === 'stalled' || kind === 'endless') throw error
      throw new StreamBroken(`the answer broke off: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

export const createGemini = (options: GeminiOptions): ModelProvider => new GeminiProvider(options)
