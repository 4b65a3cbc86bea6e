// `stepfleet tasks …`: answers to callbacks, by the token that somebody outside was given.
import { type FailureClass, type FailureCode, failureClassSchema, failureCodes, type Json } from '@stepfleet/contracts'
import { type Command, Option } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { readJson, readText } from '../values.ts'
import { told } from './told.ts'

/** A token may be kept out of the list of processes and the history of a shell. */
const tokenOf = async (argument: string): Promise<string> =>
  argument.startsWith('@') ? (await readText(argument.slice(1))).trim() : argument

const TOKEN = 'as the callback was told it, or `runs show` shows it; @file, @- for stdin'

const answer = (tasks: Command, name: string, description: string): Command =>
  tasks.command(name).argument('<token>', TOKEN).description(description)

interface FailOptions {
  message: string
  code?: FailureCode
  class?: FailureClass
  details?: string
}

const fail = async (given: string, options: FailOptions, context: Context): Promise<void> => {
  const { message, code, class: of, details } = options
  const failure = {
    message,
    ...(code ? { code } : {}),
    ...(of ? { class: of } : {}),
    ...(details === undefined ? {} : { details: await readJson(details, '--details') }),
  }
  told(await context.client.tasks.fail(await tokenOf(given), failure), 'fail', context)
}

export const addTasks = (program: Command): void => {
  const tasks = program.command('tasks').description('answer callbacks by their tokens')
  answer(tasks, 'complete', 'complete the step that waits for it')
    .option('--output <json|@file>', 'the output of the step; null without it')
    .action(async (given: string, { output }: { output?: string }, command: Command) => {
      const context = contextOf(command)
      const value: Json = output === undefined ? null : await readJson(output, '--output')
      told(await context.client.tasks.complete(await tokenOf(given), value), 'complete', context)
    })
  answer(tasks, 'fail', 'fail the attempt; its retry policy decides what follows')
    .requiredOption('--message <text>', 'what went wrong')
    .addOption(new Option('--code <code>', 'one of the failure codes; tool_failed without it').choices(failureCodes))
    .addOption(
      new Option('--class <class>', 'transient is tried again; without it, as the code says').choices(
        failureClassSchema.options,
      ),
    )
    .option('--details <json|@file>', 'more, for the journal')
    .action(async (given: string, options: FailOptions, command: Command) => fail(given, options, contextOf(command)))
  answer(tasks, 'heartbeat', 'say that it is worked on: its timeout starts anew').action(
    async (given: string, _: object, command: Command) => {
      const context = contextOf(command)
      told(await context.client.tasks.heartbeat(await tokenOf(given)), 'heartbeat', context)
    },
  )
}
