// `stepfleet fleet`: who works, and what waits.
import type { FleetView } from '@stepfleet/client'
import type { Command } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { duration, table } from '../view/text.ts'

export const addFleet = (program: Command): void => {
  program
    .command('fleet')
    .description('workers, engines, queues and circuits as they are now')
    .option('--all', 'also processes that have fallen silent: they died, or their machine is cut off')
    .action(async (options: { all?: true }, command: Command) => fleet(contextOf(command), options.all === true))
}

const alive = (state: boolean | null): string => (state === null ? '?' : state ? 'alive' : 'silent')

const processRows = (view: FleetView, all: boolean): string[][] => {
  const now = Date.now()
  const shown = (one: { alive: boolean | null }): boolean => all || one.alive !== false
  return [
    ...view.engines
      .filter(shown)
      .map((one) => [
        'orchestrator',
        one.id,
        String(one.pid),
        alive(one.alive),
        '',
        duration(now - one.startedAtMs),
        `${one.shards.length} shards`,
      ]),
    ...view.workers
      .filter(shown)
      .map((one) => [
        one.service,
        one.id,
        String(one.pid),
        one.draining ? 'draining' : alive(one.alive),
        `${one.tasks.length}/${one.slots}`,
        duration(now - one.startedAtMs),
        one.queues.join(' '),
      ]),
  ]
}

const fleet = async (context: Context, all: boolean): Promise<void> => {
  const view = await context.client.fleet()
  if (context.json) return context.printJson(view)
  const { width } = context.screen
  const rows = processRows(view, all)
  for (const text of table(['service', 'id', 'pid', 'state', 'busy', 'up', 'serves'], rows, width)) context.print(text)
  const hidden = view.engines.length + view.workers.length - rows.length
  if (hidden > 0) context.print(`${hidden} silent (--all shows them)`)
  context.print('')
  const queues = view.queues.map((queue) => [
    queue.name,
    String(queue.waiting),
    String(queue.active),
    queue.oldestAgeMs === null ? '' : duration(queue.oldestAgeMs),
  ])
  for (const text of table(['queue', 'waiting', 'active', 'oldest'], queues, width)) context.print(text)
  const open = view.circuits.filter((circuit) => circuit.state !== 'closed')
  for (const circuit of open)
    context.print(`circuit ${circuit.dependency}: ${circuit.state} (${circuit.workers} workers)`)
}
