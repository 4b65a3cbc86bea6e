// Anthropic's Messages API, always streamed, without a retry of its own: the engine decides about those.
import Anthropic from '@anthropic-ai/sdk'
import { costMicroUsd, type Failure, failure, type PriceList, type Usage } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { abortFailure, failureOf, StreamBroken } from '../failure.ts'
import { paramsOf } from './anthropic-request.ts'
import { AnswerCollector, type Collected } from './anthropic-stream.ts'
import type { ModelAnswer, ModelProvider, ModelRequest } from './provider.ts'
import { StreamStalled, watchedFetch } from './watched-fetch.ts'

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

/** What the reason for stopping means when it is not a whole answer; null: it is one. */
const stopFailure = ({ stop, stopDetails, brokenToolUses, toolUses }: Collected): Failure | null => {
  switch (stop) {
    case 'end_turn':
    case 'stop_sequence':
    case 'tool_use':
      if (brokenToolUses.length > 0)
        return failure(
          'malformed_output',
          `the model asked for ${brokenToolUses.join(', ')} with arguments that are no JSON`,
        )
      return stop === 'tool_use' && toolUses.length === 0
        ? failure('malformed_output', 'the model stopped for a tool, but asked for none')
        : null
    case 'max_tokens':
      return failure('output_truncated', 'the answer did not fit into max_tokens; raise it, or ask for less')
    case 'refusal': {
      const why = [stopDetails?.category, stopDetails?.explanation].filter((part) => part).join(': ')
      return failure('refused_by_model', `the model refused to answer${why === '' ? '' : ` (${why})`}`)
    }
    case 'model_context_window_exceeded':
      return failure(
        'context_too_long',
        'the conversation and its answer do not fit into the context window of the model',
      )
    case 'pause_turn':
      // only tools that the provider runs itself pause a turn, and none is ever offered
      return failure(
        'provider_error',
        'the provider paused the turn (pause_turn) although no tool of its own was offered',
      )
    case null:
      return failure('stream_broken', 'the stream ended without a reason for stopping')
    default:
      return failure('provider_error', `the provider stopped for an unknown reason: ${String(stop)}`)
  }
}

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
      fetch: watchedFetch(options.chunkMs),
      // it logs to the console, and what it logs are pieces of answers
      logger: SILENT,
      logLevel: 'off',
    })
  }

  async call(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer> {
    const collector = new AnswerCollector()
    let scripted = false
    try {
      const params = paramsOf(request)
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
      if (error instanceof Anthropic.APIError || error instanceof StreamStalled) throw error
      throw new StreamBroken(`the answer broke off: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #answer(request: ModelRequest, collected: Collected, scripted: boolean, signal: AbortSignal): ModelAnswer {
    const usage = this.#usage(request, collected, scripted)
    // the SDK ends an aborted stream without an error, so a missing end may be our own doing
    if (!collected.whole || !usage) {
      const why = signal.aborted
        ? abortFailure(signal)
        : failure('stream_broken', 'the stream ended before its terminal event')
      throw new TaskFailure(why, usage)
    }
    const stopped = stopFailure(collected)
    if (stopped) throw new TaskFailure(stopped, usage)
    return { content: collected.content, text: collected.text, toolUses: collected.toolUses, usage }
  }

  /** What was used as far as the provider told it; a call that broke off was paid for too. */
  #usage({ model }: ModelRequest, { tokens }: Collected, scripted: boolean): Usage | undefined {
    if (!tokens) return undefined
    const used = { model: `${PROVIDER}/${model}`, ...tokens }
    return { ...used, microUsd: costMicroUsd(this.#options.prices, used), ...(scripted ? { scripted: true } : {}) }
  }
}

export const createAnthropic = (options: AnthropicOptions): ModelProvider => new AnthropicProvider(options)
