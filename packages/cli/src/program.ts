// The `stepfleet` command: its subcommands, and what becomes of errors.
import { readFileSync } from 'node:fs'
import { StepfleetError } from '@stepfleet/client'
import { Command, CommanderError } from 'commander'
import { addCircuits } from './commands/circuits.ts'
import { addDev } from './commands/dev.ts'
import { addEscalations } from './commands/escalations.ts'
import { addFleet } from './commands/fleet.ts'
import { addRun } from './commands/run.ts'
import { addRuns } from './commands/runs.ts'
import { addTasks } from './commands/tasks.ts'
import { addWorkflows } from './commands/workflows.ts'
import { EXIT } from './context.ts'
import { addDemo } from './demo.ts'
import { UsageError } from './values.ts'

const EXIT_CODES = `
Exit codes:
  0  done; a run that was followed completed
  1  an error: what went wrong is on stderr
  2  wrong usage
  3  the run failed
  4  the run was cancelled
  5  the run goes on or waits (--wait is over, or Ctrl-C)`

const versionOf = (): string => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}

export const createProgram = (): Command => {
  const program = new Command('stepfleet')
    .description('Durable AI-agent workflows on a fleet of small services')
    .version(versionOf())
    .option('--url <url>', 'address of the API (STEPFLEET_URL, else http://127.0.0.1:7400)')
    .option('--namespace <name>', 'STEPFLEET_NAMESPACE, else `default`')
    .option('--json', 'JSON on stdout')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(see --help)')
    .exitOverride()
  addDev(program)
  addDemo(program)
  addRun(program)
  addRuns(program)
  addTasks(program)
  addWorkflows(program)
  addEscalations(program)
  addFleet(program)
  addCircuits(program)
  adopt(program)
  return program
}

/** Every subcommand, however deep, throws instead of ending the process, and knows `--json` and `--url`. */
const adopt = (parent: Command): void => {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent)
    if (command.commands.length === 0)
      command
        .option('--json', 'JSON on stdout')
        .option('--url <url>', 'address of the API')
        .option('--namespace <name>', 'namespace of the call')
    adopt(command)
  }
}

const report = (error: unknown): void => {
  if (error instanceof CommanderError) {
    // commander has said it already; help and version end well
    process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage
    return
  }
  process.exitCode = error instanceof UsageError ? EXIT.usage : EXIT.error
  const message = error instanceof Error ? error.message : String(error)
  const hint =
    error instanceof StepfleetError && error.code === 'unreachable'
      ? '\nIs it running? `stepfleet dev` starts everything on this machine.'
      : ''
  process.stderr.write(`stepfleet: ${message}${hint}\n`)
}

/** Runs one command line; sets `process.exitCode` and never throws. */
export const main = async (argv: readonly string[]): Promise<void> => {
  try {
    await createProgram().parseAsync(argv, { from: 'user' })
  } catch (error) {
    report(error)
  }
}
