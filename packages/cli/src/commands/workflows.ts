// `stepfleet workflows …`: checks definitions on this machine, and registers them.
import type { Command } from 'commander'
import { type Context, contextOf, EXIT } from '../context.ts'
import { type Checked, checkFile, isError, sourceOf } from '../source/check.ts'
import { refusalOf } from '../source/refusal.ts'
import { findingJson, place, renderFinding, totals } from '../source/report.ts'
import { addSimulate } from './simulate.ts'

export const addWorkflows = (program: Command): void => {
  const workflows = program.command('workflows').description('check, simulate and register definitions')
  workflows
    .command('validate')
    .argument('<file...>', 'YAML or JSON; - is stdin')
    .description('check files on this machine; exit code 1 with every error and its place')
    .action(async (files: string[], _: object, command: Command) => validateFiles(files, contextOf(command)))
  addSimulate(workflows)
  workflows
    .command('push')
    .argument('<file>', 'YAML or JSON; - is stdin')
    .description('register it: a new version, or the newest one when it says the same')
    .action(async (file: string, _: object, command: Command) => push(file, contextOf(command)))
}

const validateFiles = async (files: readonly string[], context: Context): Promise<void> => {
  const checked: Checked[] = []
  for (const file of files) checked.push(await checkFile(file))
  const all = checked.flatMap(({ findings }) => findings)
  if (all.some(isError)) context.setExit(EXIT.error)
  if (context.json) {
    const listed = checked.map(({ source: { file }, findings }) => ({
      ...{ file, valid: !findings.some(isError) },
      errors: findings.filter(isError).map(findingJson),
      warnings: findings.filter((finding) => !isError(finding)).map(findingJson),
    }))
    return context.printJson({ valid: !all.some(isError), files: listed })
  }
  const options = { width: context.screen.width, color: context.color }
  for (const { source, findings } of checked) {
    for (const text of findings.flatMap((finding) => renderFinding(finding, source, options))) context.print(text)
    if (!findings.some(isError)) context.print(`${source.file}: valid`)
  }
  if (all.length > 0) context.print(totals(all))
}

const push = async (file: string, context: Context): Promise<void> => {
  const source = await sourceOf(file)
  const answer = await context.client.registerWorkflow(source.text).catch((error: unknown) => {
    throw refusalOf(error, source, context)
  })
  if (context.json) return context.printJson(answer)
  context.print(`${answer.name}@${answer.version} ${answer.created ? 'registered' : 'was registered already'}`)
  const options = { width: context.screen.width, color: context.color && process.stderr.isTTY === true }
  for (const warning of place(source, [], answer.warnings))
    for (const text of renderFinding(warning, source, options)) context.note(text)
}
