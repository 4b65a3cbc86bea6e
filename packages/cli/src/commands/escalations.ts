// `stepfleet escalations …`: steps that wait for a decision.
import type { Case, Resolution } from '@stepfleet/contracts'
import { type Command, Option } from 'commander'
import { type Context, contextOf, wholeNumber } from '../context.ts'
import { readJson, UsageError } from '../values.ts'
import { ago, safe, table } from '../view/text.ts'
import { decidedBy } from './runs.ts'

export const addEscalations = (program: Command): void => {
  const escalations = program.command('escalations').description('steps that wait for a decision')
  escalations
    .command('list')
    .addOption(new Option('--status <status>').choices(['open', 'closed', 'all']).default('open'))
    .option('--run <run>', 'of this run only')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'the page after this one')
    .action(
      async (
        options: { status: 'open' | 'closed' | 'all'; run?: string; limit: number; cursor?: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        const page = await context.client.escalations.list(options)
        if (context.json) return context.printJson(page)
        if (page.items.length === 0) return context.print('no cases')
        const now = Date.now()
        const rows = page.items.map((one) => [
          one.id,
          one.reason,
          one.run,
          one.path,
          ago(one.openedAtMs, now),
          one.failure?.message ?? '',
        ])
        for (const text of table(['case', 'reason', 'run', 'step', 'opened', 'what'], rows, context.screen.width))
          context.print(text)
        if (page.cursor) context.note(`more: --cursor ${page.cursor}`)
      },
    )
  escalations
    .command('show')
    .argument('<case>')
    .action(async (id: string, _: object, command: Command) => {
      const context = contextOf(command)
      const one = await context.client.escalations.show(id)
      if (context.json) return context.printJson(one)
      for (const text of caseLines(one)) context.print(text)
    })
  addResolve(escalations)
}

const caseLines = (one: Case): string[] => [
  `${one.id}  ${one.status}  ${one.reason}`,
  `run ${one.run}, step ${one.path} (${one.kind}) of ${one.workflow}`,
  ...(one.failure ? [`${one.failure.code}: ${safe(one.failure.message)}`] : []),
  ...one.attempts.map(
    (attempt) =>
      `  attempt ${attempt.attempt}: ${attempt.status}${attempt.failure ? `, ${attempt.failure.code}: ${safe(attempt.failure.message)}` : ''}`,
  ),
  ...(one.show === null ? [] : ['shown:', JSON.stringify(one.show, null, 2)]),
  'input:',
  JSON.stringify(one.input, null, 2),
  ...(one.resolution
    ? [`${one.resolution.action} by ${one.resolution.by}${one.resolution.reason ? `: ${one.resolution.reason}` : ''}`]
    : []),
  ...(one.actions.length > 0 ? [`decide: stepfleet escalations resolve ${one.id} ${one.actions.join('|')}`] : []),
]

interface ResolveOptions {
  by?: string
  reason?: string
  output?: string
  edit?: string
  edits?: string
}

const ACTIONS = ['retry', 'skip', 'override', 'fail', 'approve', 'reject'] as const

const addResolve = (escalations: Command): void => {
  escalations
    .command('resolve')
    .argument('<case>')
    .argument('<action>', ACTIONS.join(', '))
    .option('--by <name>', 'who decides, for the journal (STEPFLEET_BY, else your user name)')
    .option('--reason <text>', 'why, for the journal')
    .option('--output <json|@file>', 'override: the output')
    .option('--edit <json|@file>', 'retry: `{"with": …}`, `{"model": …}`, `{"prompt": …}`')
    .option('--edits <json|@file>', 'approve: the answer carries them')
    .action(async (id: string, action: string, options: ResolveOptions, command: Command) => {
      const context = contextOf(command)
      const answer = await context.client.escalations.resolve(id, await resolutionOf(action, options, context))
      if (context.json) context.printJson(answer)
      else context.print(`${action} ${id}: ${answer.verdict ? 'done' : 'queued, no engine has answered yet'}`)
    })
}

const resolutionOf = async (name: string, options: ResolveOptions, context: Context): Promise<Resolution> => {
  const action = ACTIONS.find((one) => one === name)
  if (!action) throw new UsageError(`an action is one of ${ACTIONS.join(', ')}`)
  const taken = { retry: 'edit', override: 'output', approve: 'edits', skip: null, fail: null, reject: null }[action]
  for (const option of ['edit', 'output', 'edits'] as const)
    if (options[option] !== undefined && option !== taken)
      throw new UsageError(`--${option} does not go with ${action}`)
  const decided = decidedBy(options, context)
  if (action === 'override') {
    if (options.output === undefined) throw new UsageError('override needs --output')
    return { action, ...decided, output: await readJson(options.output, '--output') }
  }
  if (action === 'approve')
    return {
      action,
      ...decided,
      ...(options.edits === undefined ? {} : { edits: await readJson(options.edits, '--edits') }),
    }
  if (action === 'retry' && options.edit !== undefined) {
    const edit = await readJson(options.edit, '--edit')
    if (typeof edit !== 'object' || edit === null || Array.isArray(edit))
      throw new UsageError('--edit takes a JSON object')
    // the server judges its fields
    return { action, ...decided, edit }
  }
  return { action, ...decided }
}
