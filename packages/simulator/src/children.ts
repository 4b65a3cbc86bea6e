// Child workflows: real ones of the same world, or mocked ones that only have a result.
import { type ChildResult, type Command, failure } from '@stepfleet/contracts'
import { isEnded, type Message, parsePath } from '@stepfleet/engine'
import { below, stepNames, taskNames } from './names.ts'
import { inWords } from './schema-checks.ts'
import { calledName, ENGINE, type SimulatedRun, valueOf } from './simulated-run.ts'
import { findWorkflow } from './workflows.ts'
import type { World } from './world.ts'
import { mockCall } from './worker.ts'

type ChildStart = Extract<Message, { kind: 'start' }>['child']

/** How long a mocked child takes. */
const MOCKED_CHILD_MS = 1_000

const tell = (world: World, parent: SimulatedRun, child: ChildStart, result: ChildResult): void => {
  if (child.parent.detached) return
  const { path } = child.parent
  const id = `child/${child.run}`
  const command: Command = { type: 'child', id, ns: child.ns, run: parent.run, by: ENGINE, path, child: child.run, result }
  world.give(parent, command)
}

const refuse = (world: World, parent: SimulatedRun, child: ChildStart, message: string): void => {
  if (child.parent.detached) world.remark(parent, child.parent.path, 'child refused', message)
  tell(world, parent, child, { status: 'refused', failure: failure('child_refused', message) })
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
    const said = await world.parts.mocks.ask(names, mockCall(parent, path, 1, valueOf(child.input)))
    if (said?.kind === 'failure') tell(world, parent, child, { status: 'failed', failure: said.failure })
    if (said?.kind === 'value') tell(world, parent, child, { status: 'completed', output: { value: said.value } })
  })
}

/** A child run that a run asked for: by a fault, a mock, or a workflow that is there; else it is refused. */
export const startChild = (world: World, parent: SimulatedRun, child: ChildStart): void => {
  // a start that was sent twice makes one run
  if (world.runs.has(child.run)) return
  const { path } = child.parent
  const { role, node } = parsePath(path)
  const called = role === 'tool' ? calledName(parent, path) : null
  const names = called === null ? stepNames(parent.prefix, path) : taskNames(parent.prefix, path, { tools: [called] })
  const fault = world.parts.faults.failureFor(names, parent.fullPath(path), 1)
  if (fault) return tell(world, parent, child, { status: 'failed', failure: fault })
  if (world.parts.mocks.has(names)) return playMock(world, parent, child, names)
  const found = findWorkflow(world.parts.workflows, child.workflow)
  if (!found) {
    const hint = `give workflows['${child.workflow}'] or mocks['${names.at(-1)}']`
    return refuse(world, parent, child, `there is no workflow ${child.workflow}: ${hint}`)
  }
  const { plan, version } = found
  const { input: schema, labels } = plan.definition
  const wrong = schema ? world.parts.checks.check(schema, valueOf(child.input), 'input') : []
  if (wrong.length > 0) return refuse(world, parent, child, `the input of ${child.workflow} does not fit: ${inWords(wrong)}`)
  const prefix = { path: parent.fullPath(path), id: called === null ? below(parent.prefix.id, node) : `tool:${called}` }
  const { ns, run, input, priority, env } = child
  world.start(
    { ns, run, plan, prefix, tools: world.parts.tools },
    {
      type: 'start',
      id: `start/${run}`,
      ns,
      run,
      by: ENGINE,
      workflow: { name: plan.name, version, hash: plan.hash },
      input,
      labels: labels ?? {},
      priority,
      env,
      parent: child.parent,
    },
  )
}
