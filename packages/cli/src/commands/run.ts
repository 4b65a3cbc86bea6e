// `stepfleet run`: submits a run, of a file or of a registered workflow, and follows it.
import { hasEnded, type RunStatus, type RunView, type SubmitRun } from '@stepfleet/contracts'
import type { Command } from 'commander'
import { type Context, contextOf, durationArgument, EXIT, untilInterrupted, wholeNumber } from '../context.ts'
import { refusalOf } from '../source/refusal.ts'
import type { Source } from '../source/source.ts'
import { looksLikeFile, readDefinition, readJson, readLabels, UsageError } from '../values.ts'
import { watchRun } from '../view/watch.ts'

interface RunOptions {
  input?: string
  id?: string
  label?: string[]
  priority?: number
  idempotencyKey?: string
  wait?: true | number
  watch?: true
}

export const addRun = (program: Command): void => {
  program
    .command('run')
    .description('submit a run: of a definition file (YAML or JSON), or of a registered workflow (`name` or `name@3`)')
    .argument('<file|name>', 'a name with a dot or a slash is a file; - is stdin')
    .option('--input <json|@file>', 'the input: JSON, @file, or @- for stdin')
    .option('--id <id>', 'id of the run: the same id and request give the same run')
    .option('--label <name=value...>', 'labels of the run')
    .option('--priority <1-5>', '1 is first', wholeNumber(1, 5))
    .option('--idempotency-key <key>', 'a repeat under the same key answers with the same run')
    .option(
      '--wait [duration]',
      'wait for the end and print the result; after the duration exit with 5',
      durationArgument,
    )
    .option('--watch', 'follow the run as a live tree, then print the result')
    .action(async (source: string, options: RunOptions, command: Command) =>
      submit(source, options, contextOf(command)),
    )
}

interface Request {
  request: SubmitRun
  /** The definition's file, when there is one. */
  source: Source | null
}

const requestOf = async (name: string, options: RunOptions): Promise<Request> => {
  const file = looksLikeFile(name) ? await readDefinition(name) : null
  const request: SubmitRun = file ? { definition: file.definition } : { workflow: name }
  if (options.input !== undefined) request.input = await readJson(options.input, '--input')
  if (options.id !== undefined) request.id = options.id
  if (options.label) request.labels = readLabels(options.label)
  if (options.priority !== undefined) request.priority = options.priority
  return { request, source: file?.source ?? null }
}

const submit = async (name: string, options: RunOptions, context: Context): Promise<void> => {
  if (options.wait && options.watch) throw new UsageError('--wait and --watch do not go together')
  const { client } = context
  const { request, source } = await requestOf(name, options)
  const key = options.idempotencyKey ? { idempotencyKey: options.idempotencyKey } : {}
  const run = await client.submit(request, key).catch((error: unknown) => {
    throw source ? refusalOf(error, source, context) : error
  })
  if (options.watch) return follow(run.id, context)
  if (options.wait) return waitFor(run.id, options.wait === true ? null : options.wait, context)
  if (context.json) context.printJson(run)
  else context.print(`${run.id}  ${run.status}\nfollow it: stepfleet runs watch ${run.id}`)
}

export const exitCodeOf = (status: RunStatus): number =>
  status === 'completed' || status === 'failed' || status === 'cancelled' ? EXIT[status] : EXIT.waiting

/** Prints how a run ended (or that it has not) and sets the exit code. */
export const conclude = (run: RunView, context: Context): void => {
  context.setExit(exitCodeOf(run.status))
  if (context.json) {
    context.printJson(run)
    return
  }
  if (run.status === 'completed') {
    context.print(typeof run.output === 'string' ? run.output : JSON.stringify(run.output, null, 2))
    return
  }
  const why = run.failure ? `${run.failure.code}: ${run.failure.message}` : (run.why ?? '')
  context.note(`${run.id} ${run.status}${run.failedStep ? ` in ${run.failedStep}` : ''}${why ? ` (${why})` : ''}`)
}

/** A live tree until the run ends or Ctrl-C; the run itself goes on after Ctrl-C. */
export const follow = async (id: string, context: Context): Promise<void> => {
  const interrupt = untilInterrupted()
  const run = await watchRun(context.client, id, {
    screen: context.screen,
    color: context.color,
    signal: interrupt.signal,
  })
  interrupt.release()
  if (!run) return context.setExit(EXIT.waiting)
  if (!hasEnded(run.status)) context.note(`the run goes on; follow it again: stepfleet runs watch ${id}`)
  conclude(run, context)
}

/** The longest that one request waits; a longer wait is several. */
const ROUND_MS = 30_000

const waitFor = async (id: string, limitMs: number | null, context: Context): Promise<void> => {
  const until = limitMs === null ? Number.POSITIVE_INFINITY : Date.now() + limitMs
  for (;;) {
    const roundMs = Math.max(1, Math.min(ROUND_MS, until - Date.now()))
    const { status } = await context.client.result(id, `${Math.ceil(roundMs)}ms`)
    if (hasEnded(status) || Date.now() >= until) break
  }
  conclude(await context.client.run(id), context)
}
