// simulate: a workflow through the real engine in virtual time, with mocks in the place of workers and people.
import type { Workflow } from '@stepfleet/code-workflows'
import type { Definition, Json } from '@stepfleet/contracts'
import { createSchemaChecks } from '@stepfleet/schemas'
import { InvalidInput, InvalidOptions } from './errors.ts'
import { Faults } from './faults.ts'
import { Mocks } from './mocks.ts'
import type { SimulatedSignal, SimulateOptions, Simulation } from './options.ts'
import { durationOption, People } from './people.ts'
import { reportOn } from './report.ts'
import type { SimulatedRun } from './simulated-run.ts'
import { checkTargets, type Target } from './targets.ts'
import { Tools } from './tools.ts'
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

interface Checked {
  mocks: Mocks
  faults: Faults
  people: People
  durations: Map<string, number>
  signals: readonly SimulatedSignal[]
}

/** What the options name, and what they need of it. */
const targetsOf = (options: SimulateOptions, { mocks, faults, people }: Checked): Target[] => [
  ...mocks.keys.map((name) => ({ place: 'mocks', name, need: 'task' as const })),
  ...faults.steps.map(({ index, step, needsTask }) => {
    const need = needsTask ? ('task' as const) : ('any' as const)
    return { place: `faults[${index}]`, name: step, need }
  }),
  ...people.keys.map((name) => ({ place: 'people', name, need: 'any' as const })),
  ...Object.keys(options.durations ?? {}).map((name) => ({ place: 'durations', name, need: 'task' as const })),
  ...(options.signals ?? []).flatMap(({ to }, index) =>
    to === undefined ? [] : [{ place: `signals[${index}].to`, name: to, need: 'any' as const }],
  ),
]

const readOptions = (options: SimulateOptions): Checked => {
  const mocks = new Mocks(options.mocks ?? {})
  const faults = new Faults(options.faults ?? [])
  const people = new People(options.people ?? {})
  const durations = new Map<string, number>()
  for (const [key, text] of Object.entries(options.durations ?? {}))
    durations.set(key, durationOption(text, `durations.${key}`))
  const signals = options.signals ?? []
  for (const [index, { after }] of signals.entries()) durationOption(after, `signals[${index}].after`)
  return { mocks, faults, people, durations, signals }
}

const begin = (world: World, workflow: PlannedWorkflow, options: SimulateOptions): Promise<SimulatedRun> => {
  const { plan } = workflow
  const run = `sim_${options.seed ?? 0}`
  return world.start(
    { ns: NS, run, workflow, prefix: { path: '', id: '' }, tools: world.parts.tools.manifests },
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
    world.later(durationOption(after, place), async () => {
      const runs = [...world.runs.values()].filter(({ prefix }) => prefix.id === to || prefix.path === to)
      for (const run of to === undefined ? [root] : runs) {
        const by = { kind: 'operator' as const, id: 'somebody' }
        const base = { id: `${place}/${run.run}`, ns: run.ns, run: run.run, by }
        if (await world.give(run, { ...base, type: 'signal', name, payload: { value: payload } })) unused.delete(place)
      }
    })
  }
  return unused
}

const checkInput = (world: World, { plan }: PlannedWorkflow, input: Json): void => {
  const schema = plan.definition.input
  const wrong = schema ? world.parts.checks.check(schema, input, 'input') : []
  if (wrong.length > 0) throw new InvalidInput(wrong)
}

/**
 * Runs a workflow to its end, or until it waits for something that does not come. A workflow in code is what
 * defineWorkflow gives.
 *
 * @throws InvalidDefinition, InvalidInput, InvalidOptions; TooManyEvents when it does not end; what a mock function throws
 */
export const simulate = async (
  workflow: Definition | Workflow | unknown,
  options: SimulateOptions = {},
): Promise<Simulation> => {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) throw new InvalidOptions(`there is no option ${unknown}; there are ${OPTIONS.join(', ')}`)
  const { root, children } = planWorkflows(workflow, options.workflows ?? {})
  const read = readOptions(options)
  const known = { root: root.plan, children }
  const all = [root, ...children.values()]
  const targets = targetsOf(options, read)
  // what code asks for is known when it has asked
  const isCode = all.some(({ host }) => host !== null)
  if (!isCode) checkTargets(known, targets)
  const tools = new Tools(options.tools ?? [])
  tools.learn(all.map(({ plan }) => plan))
  const { signals, ...checked } = read
  const world = new World({
    ...checked,
    ns: NS,
    startAtMs: options.startAtMs ?? START_AT_MS,
    maxEvents: options.maxEvents ?? MAX_EVENTS,
    checks: createSchemaChecks(),
    tools,
    env: options.env ?? {},
    workflows: children,
  })
  checkInput(world, root, options.input ?? null)
  const run = await begin(world, root, options)
  const unsent = sendSignals(world, run, signals)
  await world.play()
  if (isCode) checkTargets(known, targets, true)
  for (const one of world.runs.values()) one.check()
  const report = reportOn(world, run)
  const { mocks, faults, people } = checked
  const unused = [
    ...mocks.unused.map((key) => `mocks.${key}`),
    ...faults.unused,
    ...people.unused.map((key) => `people.${key}`),
    ...unsent,
  ]
  return { ...report, assumed: [...tools.assumed, ...report.assumed], unused }
}
