// Checks of model names and settings against what this release serves.
import { defaultPrices, nearest, type Thinking } from '@stepfleet/contracts'
import { PROVIDERS, providerOf, SETTINGS, settingsOf } from '../capabilities.ts'
import type { Findings, Path } from './findings.ts'
import { checkThinkingBudget, checkThinkingOf } from './thinking.ts'

interface ModelBody {
  model: string
  fallback?: string[] | undefined
  max_tokens?: number | undefined
  temperature?: number | undefined
  top_p?: number | undefined
  top_k?: number | undefined
  stop?: string[] | undefined
  thinking?: Thinking | undefined
  cache?: boolean | undefined
}

const PRICED = Object.keys(defaultPrices.models)

/** One model that a body names, at `at`, with the settings of the body. */
const checkOne = (model: string, body: ModelBody, { path, at }: { path: Path; at: Path }, findings: Findings): void => {
  const taken = settingsOf(model)
  if (taken === null) {
    const provider = providerOf(model)
    const message = `this release serves ${PROVIDERS.join(', ')} only, not \`${provider}\``
    const near = nearest(provider, PROVIDERS)
    findings.error(at, 'unknown_provider', message, near === null ? PRICED[0] : model.replace(provider, near))
    return
  }
  for (const setting of SETTINGS) {
    if (body[setting] === undefined || taken.has(setting)) continue
    findings.error([...path, setting], 'setting_not_supported', `${model} takes no \`${setting}\`; remove it`)
  }
  checkThinkingOf(model, body, path, findings)
  if (!PRICED.includes(model)) {
    const message = `no price is known for ${model}: its cost will not be counted`
    findings.warn(at, 'unpriced_model', message, nearest(model, PRICED))
  }
}

/** Checks the models and settings of an `llm` or `agent` body at `path`. */
export const checkModel = (body: ModelBody, path: Path, findings: Findings): void => {
  checkThinkingBudget(body, path, findings)
  checkOne(body.model, body, { path, at: [...path, 'model'] }, findings)
  const seen = new Set([body.model])
  for (const [index, model] of (body.fallback ?? []).entries()) {
    const at = [...path, 'fallback', index]
    if (seen.has(model)) findings.error(at, 'invalid_value', `${model} was tried before: it would not be asked again`)
    else checkOne(model, body, { path, at }, findings)
    seen.add(model)
  }
}
