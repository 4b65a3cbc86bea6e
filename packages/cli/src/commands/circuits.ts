// `stepfleet circuits …`: what the fleet thinks of what it depends on, and an operator's hand on it.
import { type CircuitView, dependencySchema, type ForceCircuit } from '@stepfleet/contracts'
import type { Command } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { UsageError } from '../values.ts'
import { ago, duration, safe, table } from '../view/text.ts'
import { decidedBy } from './runs.ts'

export const addCircuits = (program: Command): void => {
  const circuits = program.command('circuits').description('circuits of models, hosts and tools: see them, force them')
  circuits
    .command('list', { isDefault: true })
    .description('each circuit, and why it is not closed')
    .action(async (_: object, command: Command) => list(contextOf(command)))
  addForce(circuits, 'open', 'open', 'let no call through, in the whole fleet, until it is let go')
  addForce(circuits, 'close', 'closed', 'let every call through, whatever fails, until it is let go')
  addForce(circuits, 'auto', null, 'let go: workers decide again')
}

const list = async (context: Context): Promise<void> => {
  const { circuits } = await context.client.fleet()
  if (context.json) return context.printJson(circuits)
  if (circuits.length === 0) return context.print('no circuits: no worker has called anything yet')
  const now = Date.now()
  const rows = circuits.map((circuit) => [
    safe(circuit.dependency),
    circuit.forced === null ? circuit.state : `forced ${circuit.forced}`,
    circuit.sinceMs === null ? '' : ago(circuit.sinceMs, now),
    circuit.nextProbeAtMs === null ? '' : probeText(circuit.nextProbeAtMs - now),
    String(circuit.workers),
  ])
  const titles = ['circuit', 'state', 'since', 'probe', 'workers']
  for (const text of table(titles, rows, context.screen.width)) context.print(text)
  for (const { why } of circuits) if (why !== null) context.print(safe(why))
}

/** A probe is made by the next task that comes, not by a clock. */
const probeText = (inMs: number): string => (inMs > 0 ? `in ${duration(inMs)}` : 'by the next task')

const addForce = (circuits: Command, verb: string, force: ForceCircuit['force'], description: string): void => {
  circuits
    .command(verb)
    .description(description)
    .argument('<name>', '<provider>/<model>, http:<host>, tool:<name> or mcp:<server>')
    .option('--by <name>', 'who decides (STEPFLEET_BY, else your user name)')
    .option('--reason <text>', 'why; tasks that wait for it show it')
    .action(async (name: string, options: { by?: string; reason?: string }, command: Command) => {
      const context = contextOf(command)
      const dependency = dependencySchema.safeParse(name)
      if (!dependency.success) throw new UsageError(dependency.error.issues[0]?.message ?? 'no name of a circuit')
      const circuit = await context.client.forceCircuit(dependency.data, { force, ...decidedBy(options, context) })
      if (context.json) return context.printJson(circuit)
      told(circuit, context)
    })
}

const told = (circuit: CircuitView, context: Context): void => {
  const { dependency, forced, why, state, workers } = circuit
  context.print(why === null ? `circuit ${dependency} is ${state}` : safe(why))
  if (forced !== null && workers === 0) context.note(`no worker has used ${dependency} yet: is the name right?`)
}
