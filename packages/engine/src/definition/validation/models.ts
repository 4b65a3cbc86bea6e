// Checks of model names and settings against what this release serves.
import { defaultPrices, nearest } from '@stepfleet/contracts'
import { PROVIDERS, providerOf, SETTINGS, settingsOf } from '../capabilities.ts'
import type { Findings, Path } from './findings.ts'

interface ModelBody {
  model: string
  max_tokens?: number | undefined
  temperature?: number | undefined
  top_p?: number | undefined
  top_k?: number | undefined
  stop?: string[] | undefined
}

const PRICED = Object.keys(defaultPrices.models)

/** Checks the model and settings of an `llm` or `agent` body at `path`. */
export const checkModel = (body: ModelBody, path: Path, findings: Findings): void => {
  const taken = settingsOf(body.model)
  if (taken === null) {
    const provider = providerOf(body.model)
    const message = `this release serves ${PROVIDERS.join(', ')} only, not \`${provider}\``
    const near = nearest(provider, PROVIDERS)
    findings.error(
      [...path, 'model'],
      'unknown_provider',
      message,
      near === null ? PRICED[0] : body.model.replace(provider, near),
    )
    return
  }
  for (const setting of SETTINGS) {
    if (body[setting] === undefined || taken.has(setting)) continue
    findings.error([...path, setting], 'setting_not_supported', `${body.model} takes no \`${setting}\`; remove it`)
  }
  if (!PRICED.includes(body.model)) {
    const message = `no price is known for ${body.model}: its cost will not be counted`
    findings.warn([...path, 'model'], 'unpriced_model', message, nearest(body.model, PRICED))
  }
}
