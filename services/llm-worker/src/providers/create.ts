// The providers that a worker serves, made from its settings.
import type { PriceList } from '@stepfleet/contracts'
import { isRealApi, type ServedProvider } from '../config.ts'
import { createAnthropic } from './anthropic.ts'
import { createGemini } from './gemini.ts'
import { createOpenAI } from './openai.ts'
import type { ModelProvider } from './provider.ts'

export interface CallLimits {
  /** How long until the headers come, milliseconds. */
  headersMs: number
  /** How long an answer may be silent, milliseconds. */
  chunkMs: number
  prices: PriceList
}

export const createProvider = (served: ServedProvider, limits: CallLimits): ModelProvider => {
  const { kind, name, apiKey, baseUrl } = served
  const options = { ...limits, apiKey, baseUrl, tellStep: !isRealApi(baseUrl) }
  switch (kind) {
    case 'anthropic':
      return createAnthropic(options)
    case 'gemini':
      return createGemini(options)
    case 'openai':
    case 'compatible':
      return createOpenAI({ ...options, name, compatible: kind === 'compatible' })
  }
}
