// Workflows of a simulation: definitions checked and compiled, and code that can be begun, with what is wrong with any of
// them said at once.
import { createHash } from 'node:crypto'
import {
  type BundledWorkflow,
  type CodeHost,
  type Described,
  isWorkflow,
  LocalCodeHost,
} from '@stepfleet/code-workflows'
import type { Definition, Json, ProblemError } from '@stepfleet/contracts'
import { canonicalJson, compile, compileCode, type Plan, validate } from '@stepfleet/engine'
import { createSchemaChecks, schemaErrors } from '@stepfleet/schemas'
import { InvalidDefinition } from './errors.ts'

export interface PlannedWorkflow {
  version: number | null
  /** Of code: all that any run of it has asked for so far. */
  plan: Plan
  /** The plan of a new run. Each run of code has one of its own, which learns what that run asks for. */
  planOfRun(): Plan
  /** Where the code runs; null: it is a graph. */
  host: Pick<CodeHost, 'advance' | 'drop'> | null
}

/** Code that runs elsewhere than in this process: a bundle, and the host that was asked what is in it. */
export class HostedWorkflow {
  readonly described: Extract<Described, { ok: true }>
  readonly bundle: { hash: string; text: string }
  readonly host: Pick<CodeHost, 'advance' | 'drop'>

  constructor(
    described: Extract<Described, { ok: true }>,
    bundle: { hash: string; text: string },
    host: Pick<CodeHost, 'advance' | 'drop'>,
  ) {
    this.described = described
    this.bundle = bundle
    this.host = host
  }
}

const hashOf = (value: object): string =>
  createHash('sha256')
    .update(canonicalJson(value as Json))
    .digest('hex')

const plannedCode = (definition: Definition, hosted: HostedWorkflow, version: number | null): PlannedWorkflow => {
  const { host, bundle } = hosted
  const said = { ...definition, steps: {} }
  const hash = hashOf({ ...said, code: { hash: bundle.hash } })
  const planOfRun = (): Plan => compileCode(said, hash, { hash: bundle.hash, bundle: bundle.text })
  return { version, plan: planOfRun(), planOfRun, host }
}

/** In this process, with what the function closes over. */
const hostedHere = (workflow: BundledWorkflow): HostedWorkflow => {
  const { name, description, input } = workflow
  return new HostedWorkflow(
    { ok: true, name, description, input },
    { hash: hashOf({ name, description, input }), text: '' },
    new LocalCodeHost(workflow),
  )
}

/** A definition like that of a graph, with a step in the place of those that the code asks for later. */
const definitionOf = ({ described: { name, description, input } }: HostedWorkflow): Json => ({
  name,
  ...(description === null ? {} : { description }),
  ...(input === null ? {} : { input }),
  steps: { code: { value: null } },
})

const planned = (
  raw: unknown,
  version: number | null,
  place: string,
  problems: ProblemError[],
): PlannedWorkflow | null => {
  const hosted = isWorkflow(raw) ? hostedHere(raw) : raw instanceof HostedWorkflow ? raw : null
  const checked = validate(hosted ? definitionOf(hosted) : raw)
  const errors = checked.ok ? schemaErrors(checked.definition, createSchemaChecks()) : checked.errors
  if (!checked.ok || errors.length > 0) {
    for (const problem of errors) {
      const path = [place, problem.path].filter((part) => part !== '').join('.')
      problems.push({ ...problem, path })
    }
    return null
  }
  const { definition } = checked
  if (hosted) return plannedCode(definition, hosted, version)
  const plan = compile(definition, hashOf(definition))
  return { version, plan, planOfRun: () => plan, host: null }
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
