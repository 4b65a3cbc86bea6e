// `stepfleet runs …`: what runs there are, one of them in full, and what an operator does to them.
import { type Edit, hasEnded, type RunView, runStatusSchema } from '@stepfleet/contracts'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Context, contextOf, wholeNumber } from '../context.ts'
import { readJson, readLabels, UsageError } from '../values.ts'
import { ago, table } from '../view/text.ts'
import { renderTree } from '../view/tree.ts'
import { follow } from './run.ts'
import { told } from './told.ts'

interface Decided {
  by?: string
  reason?: string
}

/** A subcommand that carries who decides and why. */
const decision = (parent: Command, name: string, description: string): Command =>
  parent
    .command(name)
    .description(description)
    .option('--by <name>', 'who decides, for the journal (STEPFLEET_BY, else your user name)')
    .option('--reason <text>', 'why, for the journal')

export const decidedBy = (options: Decided, context: Context): { by: string; reason?: string } => ({
  by: options.by ?? context.by,
  ...(options.reason ? { reason: options.reason } : {}),
})

export const addRuns = (program: Command): void => {
  const runs = program.command('runs').description('list, show, follow and steer runs')
  runs
    .command('list')
    .description('newest first')
    .addOption(new Option('--status <status>').choices(runStatusSchema.options))
    .option('--workflow <name>')
    .option('--label <name=value...>', 'all must match')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'the page after this one')
    .action(async (options: ListOptions, command: Command) => list(options, contextOf(command)))
  runs
    .command('show')
    .argument('<run>')
    .description('the tree of its steps, as it is now')
    .action(async (id: string, _: object, command: Command) => show(id, contextOf(command)))
  runs
    .command('watch')
    .argument('<run>')
    .description('follow it as a live tree until it ends; exit code as `run --watch`')
    .action(async (id: string, _: object, command: Command) => follow(id, contextOf(command)))
  for (const verb of ['cancel', 'pause', 'resume'] as const) addVerb(runs, verb)
  addBudget(runs)
  addSteps(runs)
}

const VERBS = {
  cancel: 'end it; what is in flight is aborted',
  pause: 'start nothing more; what is in flight ends',
  resume: 'go on after a pause',
} as const

const addVerb = (runs: Command, verb: keyof typeof VERBS): void => {
  decision(runs, verb, VERBS[verb])
    .argument('<run>')
    .action(async (id: string, options: Decided, command: Command) => {
      const context = contextOf(command)
      told(await context.client[verb](id, decidedBy(options, context)), `${verb} ${id}`, context)
    })
}

const dollars = (text: string): number => {
  const usd = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || usd <= 0) throw new InvalidArgumentError('an amount such as 2.50 is needed.')
  return usd
}

interface BudgetOptions extends Decided {
  step?: string
  usd?: number
  tokens?: number
}

const addBudget = (runs: Command): void => {
  decision(runs, 'budget', 'set what it may spend; steps that the old budget stopped are tried again')
    .argument('<run>')
    .option('--step <path>', 'that of this agent, instead of the run')
    .option('--usd <dollars>', 'of all its calls', dollars)
    .option('--tokens <n>', 'of all its calls, in and out', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(async (id: string, options: BudgetOptions, command: Command) => {
      const { usd, tokens, step } = options
      if (usd === undefined && tokens === undefined) throw new UsageError('name --usd, --tokens or both')
      const context = contextOf(command)
      const budget = { ...(usd === undefined ? {} : { usd }), ...(tokens === undefined ? {} : { tokens }) }
      const decided = decidedBy(options, context)
      if (step === undefined) told(await context.client.budget(id, budget, decided), `budget ${id}`, context)
      else {
        const action = { action: 'budget' as const, ...budget, ...decided }
        told(await context.client.step(id, step, action), `budget ${step}`, context)
      }
    })
}

interface RetryOptions extends Decided {
  with?: string
  model?: string
  prompt?: string
}

const editOf = async (options: RetryOptions): Promise<Edit | null> => {
  const edit: Edit = {}
  if (options.with !== undefined) {
    const value = await readJson(options.with, '--with')
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UsageError('--with takes a JSON object')
    edit.with = value
  }
  if (options.model !== undefined) edit.model = options.model
  if (options.prompt !== undefined) edit.prompt = options.prompt
  return Object.keys(edit).length > 0 ? edit : null
}

const addSteps = (runs: Command): void => {
  decision(runs, 'retry', 'try a failed or escalated step again, also with another input')
    .argument('<run>')
    .argument('<step>', 'its path, for example search[3]')
    .option('--with <json|@file>', 'a tool step: the whole new `with`')
    .option('--model <model>', 'an llm step: another model')
    .option('--prompt <text>', 'an llm step: another prompt')
    .action(async (id: string, path: string, options: RetryOptions, command: Command) => {
      const context = contextOf(command)
      const edit = await editOf(options)
      const action = { action: 'retry' as const, ...decidedBy(options, context), ...(edit ? { edit } : {}) }
      told(await context.client.step(id, path, action), `retry ${path}`, context)
    })
  decision(runs, 'skip', 'go on without a step')
    .argument('<run>')
    .argument('<step>')
    .action(async (id: string, path: string, options: Decided, command: Command) => {
      const context = contextOf(command)
      const action = { action: 'skip' as const, ...decidedBy(options, context) }
      told(await context.client.step(id, path, action), `skip ${path}`, context)
    })
  decision(runs, 'override', 'give the output of a step by hand')
    .argument('<run>')
    .argument('<step>')
    .requiredOption('--output <json|@file>', 'the output; checked against the schema of the step')
    .action(async (id: string, path: string, options: Decided & { output: string }, command: Command) => {
      const context = contextOf(command)
      const output = await readJson(options.output, '--output')
      const action = { action: 'override' as const, ...decidedBy(options, context), output }
      told(await context.client.step(id, path, action), `override ${path}`, context)
    })
}

interface ListOptions {
  status?: RunView['status']
  workflow?: string
  label?: string[]
  limit: number
  cursor?: string
}

const list = async ({ label, ...filter }: ListOptions, context: Context): Promise<void> => {
  const page = await context.client.runs({ ...filter, ...(label ? { labels: readLabels(label) } : {}) })
  if (context.json) return context.printJson(page)
  if (page.items.length === 0) return context.print('no runs')
  const now = Date.now()
  const rows = page.items.map((run) => [
    run.id,
    run.status,
    run.workflow.version === null ? run.workflow.name : `${run.workflow.name}@${run.workflow.version}`,
    ago(run.createdAtMs, now),
  ])
  for (const text of table(['run', 'status', 'workflow', 'created'], rows, context.screen.width)) context.print(text)
  if (page.cursor) context.note(`more: --cursor ${page.cursor}`)
}

const show = async (id: string, context: Context): Promise<void> => {
  const run = await context.client.run(id)
  if (context.json) return context.printJson(run)
  const { width } = context.screen
  for (const text of renderTree(run, { width, rows: 10_000, color: context.color, nowMs: Date.now() }))
    context.print(text)
  for (const { path, callback } of run.steps) {
    if (callback) context.note(`${path} waits for a callback: stepfleet tasks complete ${callback.token} --output …`)
  }
  if (hasEnded(run.status) && run.output !== null) context.print(JSON.stringify(run.output, null, 2))
}
