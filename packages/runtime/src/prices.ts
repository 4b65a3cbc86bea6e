// Prices of models: those of this release, with a file of the user's over them.
import { readFileSync } from 'node:fs'
import { defaultPrices, type PriceList, priceListSchema } from '@stepfleet/contracts'

/** The prices of this release, with those of the file in their place. Throws when the file is no price list. */
export const readPrices = (file: string | undefined): PriceList => {
  if (file === undefined) return defaultPrices
  const own = priceListSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  return { ...own, models: { ...defaultPrices.models, ...own.models } }
}
