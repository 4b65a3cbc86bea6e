// Prices of models, dated; a file of the user's overrides them. An unknown model has cost null.
import { z } from 'zod'
import bundled from './prices.json' with { type: 'json' }
import type { Usage } from './usage.ts'

const price = z.strictObject({
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  cacheRead: z.number().nonnegative(),
  cacheWrite: z.number().nonnegative(),
})
export const priceListSchema = z.strictObject({
  asOf: z.string(),
  unit: z.literal('micro-dollars per million tokens'),
  models: z.record(z.string(), price),
})
export type PriceList = z.infer<typeof priceListSchema>

/** The prices shipped with this release. */
export const defaultPrices: PriceList = priceListSchema.parse(bundled)

/** Cost of a call in whole micro-dollars, rounded up; null for a model without a price. */
export const costMicroUsd = (prices: PriceList, usage: Omit<Usage, 'microUsd' | 'scripted'>): number | null => {
  const per = prices.models[usage.model]
  if (!per) return null
  const total =
    usage.inputTokens * per.input +
    usage.outputTokens * per.output +
    usage.cacheReadTokens * per.cacheRead +
    usage.cacheWriteTokens * per.cacheWrite
  return Math.ceil(total / 1_000_000)
}
