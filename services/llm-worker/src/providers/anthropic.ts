// Anthropic's Messages API, always streamed, without a retry of its own: the engine decides about those.
import Anthropic from '@anthropic-ai/sdk'
import { failure, type Json, type PriceList, type Usage } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { abortFailure, failureOf, StreamBroken } from '../failure.ts'
import { ownFault } from '../faults/fault.ts'
import { continued, paramsOf } from './anthropic-request.ts'
import { stopOf } from './anthropic-stop.ts'
import { AnswerCollector, type Collected } from './anthropic-stream.ts'
import { usageOf } from './collected.ts'
import { addUsage, type ModelAnswer, type ModelProvider, type ModelRequest } from './provider.ts'
import { providerFetch } from './provider-fetch.ts'

type Params = Anthropic.MessageCreateParamsStreaming

export interface AnthropicOptions {
  /** null: the other side wants none. */
  apiKey: string | null
  baseUrl: string
  /** Tell the other side step and effect key, in headers. Not for the real API, which has no use for them. */
  tellStep: boolean
  /** How long until the headers come, milliseconds. */
  headersMs: number
  /** How long the answer may be silent, milliseconds. The limit on all of it is the signal's. */
  chunkMs: number
  prices: PriceList
}

const PROVIDER = 'anthropic'
const SILENT = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

/** How often a paused answer is sent back to be gone on with. */
const MOST_PAUSES = 8

interface Part extends ModelAnswer {
  /** The API wants it sent back, and goes on. */
  paused: boolean
}

/** An answer in two parts, as one. */
const joined = (before: Part, after: Part): Part => ({
  content: [...blocksOf(before.content), ...blocksOf(after.content)],
  text: before.text + after.text,
  toolUses: [...before.toolUses, ...after.toolUses],
  usage: addUsage(before.usage, after.usage) ?? after.usage,
  paused: after.paused,
})

const blocksOf = (content: Json): Json[] => (Array.isArray(content) ? content : [])

class AnthropicProvider implements ModelProvider {
  readonly name = PROVIDER
  readonly #client: Anthropic
  readonly #options: AnthropicOptions

  constructor(options: AnthropicOptions) {
    this.#options = options
    this.#client = new Anthropic({
      // a key given here keeps the SDK from looking for credentials in files of the user's
      apiKey: options.apiKey ?? 'none',
      baseURL: options.baseUrl,
      webhookKey: null,
      maxRetries: 0,
      timeout: options.headersMs,
      fetch: providerFetch(options),
      // it logs to the console, and what it logs are pieces of answers
      logger: SILENT,
      logLevel: 'off',
    })
  }

  async call(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer> {
    let params = paramsOf(request)
    let answer: Part | null = null
    for (let pauses = 0; ; pauses += 1) {
      const part: Part = await this.#after(answer?.usage, () => this.#part(request, params, signal))
      answer = answer ? joined(answer, part) : part
      const { content, text, toolUses, usage } = answer
      if (!answer.paused) return { content, text, toolUses, usage }
      if (pauses === MOST_PAUSES)
        throw new TaskFailure(
          failure('provider_error', `the provider paused the turn (pause_turn) more than ${MOST_PAUSES} times`),
          usage,
        )
      params = continued(params, part.content)
    }
  }

  /** What a part throws carries what the parts before it used, too. */
  async #after(before: Usage | undefined, part: () => Promise<Part>): Promise<Part> {
    try {
      return await part()
    } catch (error) {
      if (error instanceof TaskFailure) throw new TaskFailure(error.failure, addUsage(before, error.usage))
      throw error
    }
  }

  async #part(request: ModelRequest, params: Params, signal: AbortSignal): Promise<Part> {
    const collector = new AnswerCollector()
    let scripted = false
    try {
      const { data: stream, response } = await this.#client.messages
        .create(params, { signal, headers: this.#headers(request) })
        .withResponse()
      scripted = response.headers.get('x-scripted') === '1'
      await this.#read(stream, collector)
    } catch (error) {
      throw new TaskFailure(failureOf(error, signal), this.#usage(request, collector.result(), scripted))
    }
    return this.#answer(request, collector.result(), scripted, signal)
  }

  #headers({ effectKey, taskId }: ModelRequest): Record<string, string> {
    return this.#options.tellStep ? { 'x-stepfleet-effect-key': effectKey, 'x-stepfleet-task': taskId } : {}
  }

  async #read(stream: AsyncIterable<Anthropic.RawMessageStreamEvent>, collector: AnswerCollector): Promise<void> {
    try {
      for await (const event of stream) collector.add(event)
    } catch (error) {
      if (error instanceof Anthropic.APIError || ownFault(error) !== null) throw error
      throw new StreamBroken(`the answer broke off: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #answer(request: ModelRequest, collected: Collected, scripted: boolean, signal: AbortSignal): Part {
    const usage = this.#usage(request, collected, scripted)
    // the SDK ends an aborted stream without an error, so a missing end may be our own doing
    if (!collected.whole || !usage) {
      const why = signal.aborted
        ? abortFailure(signal)
        : failure('stream_broken', 'the stream ended before its terminal event')
      throw new TaskFailure(why, usage)
    }
    const stop = stopOf(collected)
    if (stop.kind === 'failed') throw new TaskFailure(stop.failure, usage)
    const { content, text, toolUses } = collected
    return { content, text, toolUses, usage, paused: stop.kind === 'paused' }
  }

  #usage({ model }: ModelRequest, { tokens }: Collected, scripted: boolean): Usage | undefined {
    return usageOf(tokens, { model: `${PROVIDER}/${model}`, prices: this.#options.prices, scripted })
  }
}

export const createAnthropic = (options: AnthropicOptions): ModelProvider => new AnthropicProvider(options)
