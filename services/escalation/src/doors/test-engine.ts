// For tests: an engine that only reads commands and answers their receipts.
import { type Command, commandSchema, fullRunId, runKeys, shardKeys, type Verdict } from '@stepfleet/contracts'
import type { RedisClient } from '@stepfleet/runtime'

const shardOfRun = (ns: string, run: string) => shardKeys(runKeys(ns, run).shard)

/** What has been sent to a run of the default namespace, oldest first. */
export const commandsOf = async (client: RedisClient, run: string): Promise<Command[]> => {
  const entries = await client.xrange(shardOfRun('default', run).mailbox, '-', '+')
  return entries.map(([, fields]) => commandSchema.parse(JSON.parse(fields[1] ?? '')))
}

/** Judges the commands of a run in order of arrival until it is stopped. */
export const startTestEngine = (client: RedisClient, run: string, judge: (command: Command) => Verdict) => {
  let running = true
  const judged = new Set<string>()
  const answer = async (command: Command): Promise<void> => {
    if (judged.has(command.id)) return
    judged.add(command.id)
    const id = `${fullRunId(command.ns, command.run)}/${command.id}`
    await client.set(shardOfRun(command.ns, command.run).receipt(id), JSON.stringify(judge(command)))
  }
  const loop = (async () => {
    while (running) {
      for (const command of await commandsOf(client, run)) await answer(command)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  return {
    stop: async (): Promise<void> => {
      running = false
      await loop
    },
  }
}

/** As the engine judges by case id: the first decision on a case is applied, later ones are refused. */
export const firstWins = () => {
  const closed = new Set<string>()
  return (command: Command): Verdict => {
    const id = 'case' in command ? (command.case ?? '') : ''
    if (closed.has(id)) return { status: 'refused', code: 'case_closed', message: `${id} is closed` }
    closed.add(id)
    return { status: 'applied', seq: 9 }
  }
}
