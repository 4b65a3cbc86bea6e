// What code asks for, checked like a definition that somebody wrote.
import type { Json, StepDefinition } from '@stepfleet/contracts'
import { isMap } from '../expressions/values.ts'
import { validate } from './validate.ts'

/** Code says itself when and how often a step runs, so these mean nothing there. */
const FLOW: readonly string[] = [
  'needs',
  'needs_any',
  'if',
  'each',
  'repeat',
  'steps',
  'output',
  'fallback',
  'confidence',
]
const SHOWN = 5

/** The same shape without anything that an expression or a secret would be: code has literals, and marks secrets itself. */
const inert = (value: Json): Json => {
  if (typeof value === 'string') return value.replaceAll('${{', '$ {{')
  if (Array.isArray(value)) return value.map(inert)
  if (value === null || typeof value !== 'object') return value
  if ('$secret' in value || '$concat' in value) return ''
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key.replaceAll('${{', '$ {{'), inert(field)]))
}

/** What is wrong with it, for the person who wrote the code. */
export const checkAsked = (
  name: string,
  step: Json,
): { ok: true; step: StepDefinition } | { ok: false; message: string } => {
  const flow = isMap(step) ? FLOW.filter((field) => field in step) : []
  if (flow.length > 0) return { ok: false, message: `step ${name}: ${flow.join(', ')}: the code says that itself` }
  const checked = validate({ name: 'code', steps: { [name]: inert(step) } })
  // the parsing edge: what differs from what was checked is text alone
  if (checked.ok) return { ok: true, step: step as StepDefinition }
  const problems = checked.errors.slice(0, SHOWN).map(({ path, message, suggestion }) => {
    const place = path.replace(`steps.${name}.`, '')
    return `${place}: ${message}${suggestion === undefined ? '' : `, ${suggestion}`}`
  })
  return { ok: false, message: `step ${name}: ${problems.join('; ')}` }
}
