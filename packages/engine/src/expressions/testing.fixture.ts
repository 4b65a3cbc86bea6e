// Helpers of the expression tests.
import type { Json } from '@stepfleet/contracts'
import type { Rendered, Scope, Template } from '../definition/plan.ts'
import { compileTemplate, type TemplateError } from '../expressions.ts'

export const template = (source: Json, options = { secrets: false }): Template => {
  const compiled = compileTemplate(source, options)
  if (!compiled.ok) throw new Error(compiled.errors.map((error) => `${error.at}: ${error.message}`).join('; '))
  return compiled.template
}

export const render = (source: Json, scope: Scope = {}): Rendered => template(source).render(scope)

/** The value of one expression; throws when it fails. */
export const value = (code: string, scope: Scope = {}): Json => {
  const rendered = render(`\${{ ${code} }}`, scope)
  if (!rendered.ok) throw new Error(rendered.message)
  return rendered.value
}

/** Why an expression fails: when it is compiled or when it is rendered. */
export const failure = (code: string, scope: Scope = {}): string => {
  const compiled = compileTemplate(`\${{ ${code} }}`, { secrets: false })
  if (!compiled.ok) return compiled.errors.map((error) => error.message).join('; ')
  const rendered = compiled.template.render(scope)
  return rendered.ok ? `no failure: ${JSON.stringify(rendered.value)}` : rendered.message
}

/** What is wrong with a template; empty when it compiles. */
export const errorsOf = (source: Json, secrets = false): readonly TemplateError[] => {
  const compiled = compileTemplate(source, { secrets })
  return compiled.ok ? [] : compiled.errors
}
