// Definitions at the door: everything registration checks, beyond what the engine's `validate` knows.
import {
  allSteps,
  BUILT_IN_TOOLS,
  type Definition,
  defaultPrices,
  type Json,
  labelsSchema,
  nearest,
  type PriceList,
  type ProblemError,
  type ToolManifest,
} from '@stepfleet/contracts'
import { canonicalJson, validate } from '@stepfleet/engine'
import { type SchemaChecks, schemaErrors } from '@stepfleet/schemas'
import { readStored } from '../../code/definition.ts'
import { sha256 } from './context.ts'
import { errorsOfZod, Rejection } from './problems.ts'

export interface Checked {
  definition: Definition
  /** SHA-256 of the canonical text. */
  hash: string
  /** Canonical JSON. */
  text: string
  warnings: ProblemError[]
}
export type Check = ({ ok: true } & Checked) | { ok: false; errors: ProblemError[] }

export interface Definitions {
  /** Every error at once. Warnings about tools depend on the workers there are now, so they come apart. */
  check(raw: Json): Check
  /** As `check`; throws `invalid_definition`, or `not_supported_yet` when that is all that is wrong. */
  accept(raw: Json): Checked
  /** What a budget in dollars would have to say against a definition: models without a price. */
  unpriced(definition: Definition): ProblemError[]
  /** A definition that was checked when it was stored. */
  stored(hash: string, definition: Json): Definition
}

/** Definitions kept by hash; a busy API sees the same few again and again. */
const MAX_KEPT = 200

const beyondEngine = (definition: Definition, schemas: SchemaChecks): ProblemError[] => {
  const errors = schemaErrors(definition, schemas)
  // a run takes the labels of its workflow, so what a run may not have the workflow may not either
  const labels = labelsSchema.safeParse(definition.labels ?? {}, { reportInput: true })
  return labels.success ? errors : [...errors, ...errorsOfZod(labels.error, 'labels', [])]
}

const checkOf = (raw: Json, schemas: SchemaChecks, priced: readonly string[]): Check => {
  const result = validate(raw, priced)
  if (!result.ok) return { ok: false, errors: result.errors }
  const errors = beyondEngine(result.definition, schemas)
  if (errors.length > 0) return { ok: false, errors }
  // a definition is JSON: it was parsed from it, and its schema adds nothing
  const text = canonicalJson(result.definition as Json)
  return { ok: true, definition: result.definition, hash: sha256(text), text, warnings: result.warnings }
}

const remember = <T>(cache: Map<string, T>, key: string, make: () => T): T => {
  const known = cache.get(key)
  cache.delete(key)
  const value = known ?? make()
  cache.set(key, value)
  const oldest = cache.keys().next().value
  if (cache.size > MAX_KEPT && oldest !== undefined) cache.delete(oldest)
  return value
}

/** `prices`: those that budgets in dollars go by. */
export const createDefinitions = (schemas: SchemaChecks, prices: PriceList = defaultPrices): Definitions => {
  const priced = Object.keys(prices.models)
  const checks = new Map<string, Check>()
  const known = new Map<string, Definition>()
  const check = (raw: Json): Check => remember(checks, sha256(canonicalJson(raw)), () => checkOf(raw, schemas, priced))
  return {
    check,
    accept: (raw) => {
      const result = check(raw)
      if (result.ok) return result
      const unsupported = result.errors.every((error) => error.code === 'not_supported_yet')
      const count = result.errors.length === 1 ? 'one error' : `${result.errors.length} errors`
      throw new Rejection(
        unsupported ? 'not_supported_yet' : 'invalid_definition',
        unsupported ? 'the definition uses what this release does not have' : `the definition has ${count}`,
        { errors: result.errors },
      )
    },
    unpriced: (definition) => {
      const checked = validate({ ...definition, budget: { usd: 1 } }, priced)
      return checked.ok ? [] : checked.errors.filter(({ code }) => code === 'unpriced_model')
    },
    stored: (hash, definition) => remember(known, hash, () => readStored(definition).definition),
  }
}

/** A warning for each module tool that no worker serves now: it may come later, or be a slip of the pen. */
export const unknownTools = (definition: Definition, manifests: ReadonlyMap<string, ToolManifest>): ProblemError[] => {
  const warn = (path: string, tool: string): ProblemError[] => {
    if (BUILT_IN_TOOLS.has(tool) || manifests.has(tool)) return []
    const guess = nearest(tool, manifests.keys())
    return [
      {
        path,
        code: 'unknown_tool',
        message: `no worker serves the tool ${JSON.stringify(tool)} now; a step that needs it would wait`,
        ...(guess === null ? {} : { suggestion: `did you mean ${JSON.stringify(guess)}?` }),
      },
    ]
  }
  return allSteps(definition.steps).flatMap(({ place, step }) => [
    ...(step.tool === undefined ? [] : warn(`${place}.tool`, step.tool)),
    ...(step.compensate?.tool === undefined ? [] : warn(`${place}.compensate.tool`, step.compensate.tool)),
    ...(step.agent?.tools ?? []).flatMap((tool, i) => {
      const path = `${place}.agent.tools.${i}`
      if (typeof tool === 'string') return warn(path, tool)
      return 'tool' in tool ? warn(`${path}.tool`, tool.tool) : []
    }),
  ])
}
