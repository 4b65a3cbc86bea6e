// told: what became of a command, in words or as JSON.
import type { CommandAnswer } from '@stepfleet/client'
import type { Context } from '../context.ts'

export const told = (answer: CommandAnswer, what: string, context: Context): void => {
  if (context.json) context.printJson(answer)
  else if ('applied' in answer) context.print(`${what}: done`)
  else context.print(`${what}: queued, no engine has answered yet`)
}
