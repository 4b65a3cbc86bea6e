// `stepfleet workflows …`: registers and checks definitions.
import type { Command } from 'commander'
import { type Context, contextOf, EXIT } from '../context.ts'
import { readText } from '../values.ts'

export const addWorkflows = (program: Command): void => {
  const workflows = program.command('workflows').description('register and check definitions')
  workflows
    .command('push')
    .argument('<file>', 'YAML or JSON; - is stdin')
    .description('register it: a new version, or the newest one when it says the same')
    .action(async (file: string, _: object, command: Command) => push(file, contextOf(command)))
  workflows
    .command('validate')
    .argument('<file>', 'YAML or JSON; - is stdin')
    .description('check only; exit code 1 with every error and its place')
    .action(async (file: string, _: object, command: Command) => validate(file, contextOf(command)))
}

const push = async (file: string, context: Context): Promise<void> => {
  const answer = await context.client.registerWorkflow(await readText(file))
  if (context.json) return context.printJson(answer)
  context.print(`${answer.name}@${answer.version} ${answer.created ? 'registered' : 'was registered already'}`)
  for (const { path, message } of answer.warnings) context.note(`warning: ${path}: ${message}`)
}

const validate = async (file: string, context: Context): Promise<void> => {
  const answer = await context.client.validateWorkflow(await readText(file))
  if (!answer.valid) context.setExit(EXIT.error)
  if (context.json) return context.printJson(answer)
  for (const [kind, errors] of [
    ['error', answer.errors],
    ['warning', answer.warnings],
  ] as const)
    for (const { path, code, message, suggestion } of errors)
      context.print(`${kind}: ${path ? `${path}: ` : ''}${message}${suggestion ? ` (${suggestion})` : ''} [${code}]`)
  if (answer.valid) context.print('valid')
}
