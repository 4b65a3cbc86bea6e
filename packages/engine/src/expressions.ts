// Templates: JSON values with `${{ … }}` in their strings, compiled once and rendered by the engine.
import { type Json, LIMITS } from '@stepfleet/contracts'
import type { Rendered, Scope, StepMention, Template } from './definition/plan.ts'
import type { ExpressionProblem } from './expressions/build.ts'
import { compileExpression, type Expression } from './expressions/evaluate.ts'
import { clip, holdsExpression, isOneExpression, scan } from './expressions/scan.ts'
import { ExpressionError, holdsSecretMarker, type JsonMap, textOf } from './expressions/values.ts'

export { holdsSecretMarker, isOneExpression }

export interface TemplateError {
  /** Dotted place inside the source; empty for the source itself. */
  at: string
  code: ExpressionProblem['code']
  message: string
  suggestion?: string
}

/** What registration looks at beyond the template itself. */
export interface TemplateUse {
  at: string
  /** As it was written, without the braces. */
  expression: string
  mentions: readonly StepMention[]
  names: readonly string[]
  /** Plain paths from a top-level name: `['input', 'topic']`, `['steps', 'a', 'output', 'text']`. */
  paths: readonly (readonly string[])[]
  /** Those of them that `has()` asks for, joined by dots. */
  asked: ReadonlySet<string>
  /** Variables that its comprehensions make. */
  variables: readonly string[]
}

export type CompiledTemplate =
  | { ok: true; template: Template; uses: readonly TemplateUse[] }
  | { ok: false; errors: TemplateError[]; uses: readonly TemplateUse[] }

export interface TemplateOptions {
  /** True where a worker resolves secret markers: `with` of tools. Elsewhere a secret is an error. */
  secrets: boolean
  /** True where only text makes sense (prompts): one expression is rendered to text too. */
  text?: boolean
}

/** A compiled part: a constant, or what makes its value. */
type Part = { constant: true; value: Json } | { constant: false; make: (scope: Scope) => Json }

interface Builder {
  readonly options: TemplateOptions
  readonly errors: TemplateError[]
  readonly uses: TemplateUse[]
}

const constant = (value: Json): Part => ({ constant: true, value })
const below = (at: string, key: string | number): string => (at === '' ? String(key) : `${at}.${key}`)

/** Why an expression stopped, or null when it is a bug of ours. A value nested too deeply ends the stack. */
const reasonOf = (error: unknown): string | null => {
  if (error instanceof ExpressionError) return error.message
  return error instanceof RangeError ? 'its value is nested too deeply' : null
}

/** Adds the place and the expression to a failure, so that it can be found in the definition. */
const evaluate = (expression: Expression, scope: Scope, at: string): Json => {
  const { slots, code } = expression
  try {
    return expression.run({
      scope,
      locals: slots === 0 ? [] : new Array(slots).fill(null),
      left: LIMITS.expressionCost,
    })
  } catch (error) {
    const why = reasonOf(error)
    if (why === null) throw error
    throw new ExpressionError(`${at === '' ? '' : `${at}: `}\`\${{ ${clip(code)} }}\`: ${why}`)
  }
}

/**
 * Data must not be able to name a secret: a model or a caller that answers `{"$secret": "X"}` would be handed
 * it by the worker, which resolves markers wherever they stand.
 */
const withoutMarkers = (value: Json, at: string): Json => {
  if (value !== null && typeof value === 'object' && holdsSecretMarker(value)) {
    throw new ExpressionError(`${at === '' ? '' : `${at}: `}data may not hold the keys \`$secret\` or \`$concat\``)
  }
  return value
}

const compileCode = (builder: Builder, code: string, at: string): { make: (scope: Scope) => Json; secret: boolean } => {
  const expression = compileExpression(code)
  const { names, paths, asked, mentions, variables, secret } = expression
  for (const found of expression.problems) builder.errors.push({ at, ...found })
  builder.uses.push({ at, expression: code, mentions, names: [...names], paths, asked, variables: [...variables] })
  if (secret === null) {
    return { make: (scope) => evaluate(expression, scope, at), secret: false }
  }
  if (!builder.options.secrets) {
    const message = 'secrets can only be used in the `with` of a tool; nothing else may see them'
    builder.errors.push({ at, code: 'misplaced_secret', message })
  } else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(secret)) {
    builder.errors.push({ at, code: 'bad_expression', message: `\`${clip(secret)}\` is no name of a secret` })
  }
  const marker: Json = { $secret: secret }
  return { make: () => marker, secret: true }
}

/** Joins rendered parts: to a text, or with a secret among them to a `$concat` of texts and markers. */
const joined = (parts: readonly { make: (scope: Scope) => Json; secret: boolean }[]) => {
  const secret = parts.some((part) => part.secret)
  if (!secret) return (scope: Scope): Json => parts.map((part) => textOf(part.make(scope))).join('')
  return (scope: Scope): Json => {
    const concat: Json[] = []
    let text = ''
    for (const part of parts) {
      if (!part.secret) {
        text += textOf(part.make(scope))
        continue
      }
      if (text !== '') concat.push(text)
      text = ''
      concat.push(part.make(scope))
    }
    if (text !== '') concat.push(text)
    return { $concat: concat }
  }
}

const compileText = (builder: Builder, source: string, at: string): Part => {
  if (!holdsExpression(source)) return constant(source)
  const found = scan(source)
  if (!found.ok) {
    builder.errors.push({ at, code: 'bad_expression', message: found.message })
    return constant(source)
  }
  const parts = found.parts.map((part) =>
    part.kind === 'text' ? { make: () => part.text, secret: false } : compileCode(builder, part.code, at),
  )
  const [first] = parts
  if (parts.length > 1 || !first || builder.options.text === true) return { constant: false, make: joined(parts) }
  if (first.secret || !builder.options.secrets) return { constant: false, make: first.make }
  return { constant: false, make: (scope) => withoutMarkers(first.make(scope), at) }
}

const compileList = (builder: Builder, source: Json[], at: string): Part => {
  const parts = source.map((item, i) => compilePart(builder, item, below(at, i)))
  if (parts.every((part) => part.constant)) return constant(source)
  return { constant: false, make: (scope) => parts.map((part) => (part.constant ? part.value : part.make(scope))) }
}

const checkKey = (builder: Builder, key: string, at: string): void => {
  const report = (message: string, code: TemplateError['code'] = 'bad_expression'): void => {
    builder.errors.push({ at: below(at, key), code, message })
  }
  if (key === '__proto__') report('`__proto__` cannot be a key')
  else if (holdsExpression(key)) report('a key cannot hold an expression, only a value can')
  else if (builder.options.secrets && (key === '$secret' || key === '$concat')) {
    report(`\`${key}\` is not written by hand: use \${{ secrets.NAME }}`, 'misplaced_secret')
  }
}

const compileMap = (builder: Builder, source: JsonMap, at: string): Part => {
  const entries = Object.keys(source).map((key): [string, Part] => {
    checkKey(builder, key, at)
    return [key, compilePart(builder, source[key] ?? null, below(at, key))]
  })
  if (entries.every(([, part]) => part.constant)) return constant(source)
  return {
    constant: false,
    make: (scope) => {
      const made: JsonMap = {}
      for (const [key, part] of entries) made[key] = part.constant ? part.value : part.make(scope)
      return made
    },
  }
}

const compilePart = (builder: Builder, source: Json, at: string): Part => {
  if (typeof source === 'string') return compileText(builder, source, at)
  if (source === null || typeof source !== 'object') return constant(source)
  return Array.isArray(source) ? compileList(builder, source, at) : compileMap(builder, source, at)
}

/** Renders a part; what an expression cannot do becomes a message. */
const renderer = (part: Part): ((scope: Scope) => Rendered) => {
  if (part.constant) {
    const rendered: Rendered = { ok: true, value: part.value }
    return () => rendered
  }
  return (scope) => {
    try {
      return { ok: true, value: part.make(scope) }
    } catch (error) {
      const message = reasonOf(error)
      if (message === null) throw error
      return { ok: false, message }
    }
  }
}

/** Every step field that the uses mention, each once, in order. */
const mentionsOf = (uses: readonly TemplateUse[]): StepMention[] => {
  const all = new Map<string, StepMention>()
  for (const use of uses) for (const mention of use.mentions) all.set(`${mention.step}.${mention.field}`, mention)
  return [...all.values()]
}

/**
 * Compiles a JSON value with `${{ … }}` in any of its strings. All errors are found at once, each with its
 * dotted place inside `source`. A constant template renders to `source` itself.
 */
export const compileTemplate = (source: Json, options: TemplateOptions): CompiledTemplate => {
  const builder: Builder = { options, errors: [], uses: [] }
  const part = compilePart(builder, source, '')
  const { errors, uses } = builder
  if (errors.length > 0) return { ok: false, errors, uses }
  const names = [...new Set(uses.flatMap((use) => use.names))]
  const template: Template = {
    source,
    constant: part.constant,
    mentions: mentionsOf(uses),
    names,
    render: renderer(part),
  }
  return { ok: true, template, uses }
}
