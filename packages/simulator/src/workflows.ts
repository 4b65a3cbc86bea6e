// Workflows of a simulation: definitions checked and compiled, with what is wrong with any of them said at once.
import { createHash } from 'node:crypto'
import type { Json, ProblemError } from '@stepfleet/contracts'
import { canonicalJson, compile, type Plan, validate } from '@stepfleet/engine'
import { createSchemaChecks, schemaErrors } from '@stepfleet/schemas'
import { InvalidDefinition } from './errors.ts'

export interface PlannedWorkflow {
  plan: Plan
  version: number | null
}

const planned = (
  raw: unknown,
  version: number | null,
  place: string,
  problems: ProblemError[],
): PlannedWorkflow | null => {
  const checked = validate(raw)
  const errors = checked.ok ? schemaErrors(checked.definition, createSchemaChecks()) : checked.errors
  if (!checked.ok || errors.length > 0) {
    for (const problem of errors) {
      const path = [place, problem.path].filter((part) => part !== '').join('.')
      problems.push({ ...problem, path })
    }
    return null
  }
  const text = canonicalJson(checked.definition as Json)
  return { plan: compile(checked.definition, createHash('sha256').update(text).digest('hex')), version }
}

const versionOf = (name: string): number | null => {
  const version = /@(\d+)$/.exec(name)?.[1]
  return version === undefined ? null : Number(version)
}

/** @throws InvalidDefinition with the problems of all of them */
export const planWorkflows = (
  definition: unknown,
  workflows: Readonly<Record<string, unknown>>,
): { root: PlannedWorkflow; children: Map<string, PlannedWorkflow> } => {
  const problems: ProblemError[] = []
  const root = planned(definition, null, '', problems)
  const children = new Map<string, PlannedWorkflow>()
  for (const [name, raw] of Object.entries(workflows)) {
    const child = planned(raw, versionOf(name), `workflows.${name}`, problems)
    if (child) children.set(name, child)
  }
  if (!root || problems.length > 0) throw new InvalidDefinition(problems)
  return { root, children }
}

/** The workflow that a step names: `name`, or `name@3`, which also stands for the newest. */
export const findWorkflow = (
  workflows: ReadonlyMap<string, PlannedWorkflow>,
  wanted: string,
): PlannedWorkflow | null => {
  const exact = workflows.get(wanted)
  if (exact || wanted.includes('@')) return exact ?? null
  const versions = [...workflows].filter(([name]) => name.startsWith(`${wanted}@`))
  return versions.sort(([, a], [, b]) => (b.version ?? 0) - (a.version ?? 0))[0]?.[1] ?? null
}
