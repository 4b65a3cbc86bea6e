// Child workflows: real ones of the same world, or mocked ones that only have a result.
import { type ChildResult, failure } from '@stepfleet/contracts'
import { type ChildStart, childEnded, isEnded, parsePath } from '@stepfleet/engine'
import { inWords } from '@stepfleet/schemas'
import { below, type Prefix, stepNames, taskNames } from './names.ts'
import { calledName, ENGINE, jsonOf, type SimulatedRun } from './simulated-run.ts'
import { mockCall } from './worker.ts'
import { findWorkflow, type PlannedWorkflow } from './workflows.ts'
import type { World } from './world.ts'

/** How long a mocked child takes. */
const MOCKED_CHILD_MS = 1_000

const tell = async (world: World, parent: SimulatedRun, child: ChildStart, result: ChildResult): Promise<void> => {
  if (!child.parent.detached) await world.give(parent, childEnded(child.ns, child.run, child.parent, result))
}

const refuse = (world: World, parent: SimulatedRun, child: ChildStart, message: string): Promise<void> => {
  if (child.parent.detached) world.remark(parent, child.parent.path, 'child refused', message)
  return tell(world, parent, child, { status: 'refused', failure: failure('child_refused', message) })
}

/** True while somebody waits for this very child. */
const isAwaited = (parent: SimulatedRun, child: ChildStart): boolean => {
  const step = parent.state.steps.get(child.parent.path)
  return step !== undefined && !isEnded(step) && step.opening?.kind === 'run' && step.opening.run === child.run
}

const playMock = (world: World, parent: SimulatedRun, child: ChildStart, names: readonly string[]): void => {
  const { path } = child.parent
  world.later(world.durationMs(names, MOCKED_CHILD_MS), async () => {
    if (!child.parent.detached && !isAwaited(parent, child)) return
    const said = await world.parts.mocks.ask(names, mockCall(parent, path, 1, jsonOf(child.input)))
    if (said?.kind === 'failure') await tell(world, parent, child, { status: 'failed', failure: said.failure })
    if (said?.kind === 'value') await tell(world, parent, child, { status: 'completed', output: { value: said.value } })
  })
}

/** What the step that starts a child is called, the most general name last. */
const namesOf = (parent: SimulatedRun, path: string): string[] =>
  parsePath(path).role === 'tool'
    ? taskNames(parent.prefix, path, { tools: [calledName(parent, path)] })
    : stepNames(parent.prefix, path)

/** What the steps of a child are called by. */
const prefixOf = (parent: SimulatedRun, path: string): Prefix => {
  const { role, node } = parsePath(path)
  const id = role === 'tool' ? `tool:${calledName(parent, path)}` : below(parent.prefix.id, node)
  return { path: parent.fullPath(path), id }
}

const begin = async (
  world: World,
  parent: SimulatedRun,
  child: ChildStart,
  workflow: PlannedWorkflow,
): Promise<void> => {
  const { ns, run, input, priority, env } = child
  const { plan, version } = workflow
  await world.start(
    { ns, run, workflow, prefix: prefixOf(parent, child.parent.path), tools: world.parts.tools.manifests },
    {
      type: 'start',
      id: `start/${run}`,
      ns,
      run,
      by: ENGINE,
      workflow: { name: plan.name, version, hash: plan.hash },
      input,
      labels: plan.definition.labels ?? {},
      priority,
      env,
      parent: child.parent,
    },
  )
}

/** Why a child cannot begin, or the workflow that it is. */
const lookUp = (world: World, child: ChildStart, names: readonly string[]): PlannedWorkflow | string => {
  const { workflow } = child
  const found = findWorkflow(world.parts.workflows, workflow)
  if (!found) return `there is no workflow ${workflow}: give workflows['${workflow}'] or mocks['${names.at(-1)}']`
  const schema = found.plan.definition.input
  const wrong = schema ? world.parts.checks.check(schema, jsonOf(child.input), 'input') : []
  return wrong.length > 0 ? `the input of ${workflow} does not fit: ${inWords(wrong, 3).join('; ')}` : found
}

/** A child run that a run asked for: by a fault, a mock, or a workflow that is there; else it is refused. */
export const startChild = async (world: World, parent: SimulatedRun, child: ChildStart): Promise<void> => {
  // a start that was sent twice makes one run
  if (world.runs.has(child.run)) return
  const { path } = child.parent
  const names = namesOf(parent, path)
  const fault = world.parts.faults.failureFor(names, parent.fullPath(path), 1)
  if (fault) {
    await tell(world, parent, child, { status: 'failed', failure: fault })
  } else if (world.parts.mocks.has(names)) {
    playMock(world, parent, child, names)
  } else {
    const found = lookUp(world, child, names)
    if (typeof found === 'string') await refuse(world, parent, child, found)
    else await begin(world, parent, child, found)
  }
}
