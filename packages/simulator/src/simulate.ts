// simulate: a workflow through the real engine in virtual time, with mocks in the place of workers and people.
import { BUILT_IN_TOOLS, type Definition, type Json, type ToolManifest } from '@stepfleet/contracts'
import type { Plan, StepPlan } from '@stepfleet/engine'
import { InvalidInput, InvalidOptions } from './errors.ts'
import { Faults } from './faults.ts'
import { Mocks } from './mocks.ts'
import type { SimulatedSignal, SimulateOptions, Simulation } from './options.ts'
import { durationOption, People } from './people.ts'
import { reportOn } from './report.ts'
import { createSchemaChecks } from './schema-checks.ts'
import type { SimulatedRun } from './simulated-run.ts'
import { checkTarget, toolsNamed } from './targets.ts'
import { type PlannedWorkflow, planWorkflows } from './workflows.ts'
import { World } from './world.ts'

const NS = 'default'
const START_AT_MS = Date.UTC(2026, 0, 1)
const MAX_EVENTS = 100_000
const PRIORITY = 3

const OPTIONS: readonly string[] = [
  'input',
  'mocks',
  'faults',
  'workflows',
  'people',
  'signals',
  'durations',
  'startAtMs',
  'seed',
  'tools',
  'env',
  'maxEvents',
] satisfies (keyof SimulateOptions)[]

/** A tool that nobody said anything of: tried again like most, and no reason to wait for a worker. */
const unknownTool = (name: string): ToolManifest => ({
  spec: { name, description: 'a tool without a manifest', input: { type: 'object' } },
  effect: 'idempotent',
  secrets: [],
})

/** Module tools by name: those that were given, and those that the workflows name besides. */
const manifests = (
  given: readonly ToolManifest[],
  plans: readonly Plan[],
): { tools: Map<string, ToolManifest>; assumed: string[] } => {
  const tools = new Map(given.map((tool) => [tool.spec.name, tool] as const))
  const inline = new Set(plans.flatMap((plan) => [...plan.steps.values()].flatMap(inlineTools)))
  const assumed = [...toolsNamed(plans)].filter(
    (name) => !BUILT_IN_TOOLS.has(name) && !tools.has(name) && !inline.has(name),
  )
  for (const name of assumed) tools.set(name, unknownTool(name))
  return { tools, assumed: assumed.map((name) => `tool:${name}`) }
}

/** Names that only an agent's model knows. */
const inlineTools = ({ body }: StepPlan): string[] =>
  body.kind === 'agent' ? body.tools.flatMap(({ name, declared }) => (declared ? [name] : [])) : []

interface Checked {
  mocks: Mocks
  faults: Faults
  people: People
  durations: Map<string, number>
  signals: readonly SimulatedSignal[]
}

const checkOptions = (
  options: SimulateOptions,
  root: Plan,
  children: ReadonlyMap<string, PlannedWorkflow>,
): Checked => {
  const known = { root, children }
  const mocks = new Mocks(options.mocks ?? {})
  const faults = new Faults(options.faults ?? [])
  const people = new People(options.people ?? {})
  const durations = new Map<string, number>()
  for (const key of mocks.keys) checkTarget(known, 'mocks', key, 'task')
  for (const { index, step, needsTask } of faults.steps)
    checkTarget(known, `faults[${index}]`, step, needsTask ? 'task' : 'any')
  for (const key of people.keys) checkTarget(known, 'people', key, 'any')
  for (const [key, text] of Object.entries(options.durations ?? {})) {
    checkTarget(known, 'durations', key, 'task')
    durations.set(key, durationOption(text, `durations.${key}`))
  }
  const signals = options.signals ?? []
  for (const [index, { after, to }] of signals.entries()) {
    durationOption(after, `signals[${index}].after`)
    if (to !== undefined) checkTarget(known, `signals[${index}].to`, to, 'any')
  }
  return { mocks, faults, people, durations, signals }
}

const begin = (world: World, { plan }: PlannedWorkflow, options: SimulateOptions): SimulatedRun => {
  const run = `sim_${options.seed ?? 0}`
  return world.start(
    { ns: NS, run, plan, prefix: { path: '', id: '' }, tools: world.parts.tools },
    {
      type: 'start',
      id: 'start',
      ns: NS,
      run,
      by: { kind: 'caller', id: 'simulate' },
      workflow: { name: plan.name, version: null, hash: plan.hash },
      input: { value: options.input ?? null },
      labels: plan.definition.labels ?? {},
      priority: PRIORITY,
      env: world.parts.env,
    },
  )
}

/** Sends the signals in their time; answers the places of those that nobody took. */
const sendSignals = (world: World, root: SimulatedRun, signals: readonly SimulatedSignal[]): Set<string> => {
  const unused = new Set<string>()
  for (const [index, { name, payload, after, to }] of signals.entries()) {
    const place = `signals[${index}]`
    unused.add(place)
    world.later(durationOption(after, place), () => {
      const runs = [...world.runs.values()].filter(({ prefix }) => prefix.id === to || prefix.path === to)
      for (const run of to === undefined ? [root] : runs) {
        const by = { kind: 'operator' as const, id: 'somebody' }
        const base = { id: `${place}/${run.run}`, ns: run.ns, run: run.run, by }
        if (world.give(run, { ...base, type: 'signal', name, payload: { value: payload } })) unused.delete(place)
      }
    })
  }
  return unused
}

/**
 * Runs a workflow to its end, or until it waits for something that does not come.
 *
 * @throws InvalidDefinition, InvalidInput, InvalidOptions; TooManyEvents when it does not end; what a mock function throws
 */
export const simulate = async (
  definition: Definition | unknown,
  options: SimulateOptions = {},
): Promise<Simulation> => {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) throw new InvalidOptions(`there is no option ${unknown}; there are ${OPTIONS.join(', ')}`)
  const { root, children } = planWorkflows(definition, options.workflows ?? {})
  const { signals, ...checked } = checkOptions(options, root.plan, children)
  const checks = createSchemaChecks()
  const input: Json = options.input ?? null
  const schema = root.plan.definition.input
  const wrong = schema ? checks.check(schema, input, 'input') : []
  if (wrong.length > 0) throw new InvalidInput(wrong)
  const { tools, assumed } = manifests(options.tools ?? [], [
    root.plan,
    ...[...children.values()].map(({ plan }) => plan),
  ])
  const world = new World({
    ...checked,
    ns: NS,
    startAtMs: options.startAtMs ?? START_AT_MS,
    maxEvents: options.maxEvents ?? MAX_EVENTS,
    checks,
    tools,
    env: options.env ?? {},
    workflows: children,
  })
  const run = begin(world, root, options)
  const unsent = sendSignals(world, run, signals)
  await world.play()
  for (const one of world.runs.values()) one.check()
  const report = reportOn(world, run)
  const { mocks, faults, people } = checked
  const unused = [
    ...mocks.unused.map((key) => `mocks.${key}`),
    ...faults.unused,
    ...people.unused.map((key) => `people.${key}`),
    ...unsent,
  ]
  return { ...report, assumed: [...assumed, ...report.assumed], unused }
}
