// `stepfleet workflows simulate`: a run on this machine in virtual time; no worker, no model, no Redis.
import { extname } from 'node:path'
import { type Definition, failureCodes, type Json, nearest } from '@stepfleet/contracts'
import type { HostedWorkflow, SimulateOptions } from '@stepfleet/simulator'
import type { Command } from 'commander'
import { type Context, contextOf, EXIT } from '../context.ts'
import { checkFile } from '../source/check.ts'
import { type CodeFiles, isCodeFile, openCodeFiles } from '../source/code.ts'
import { renderFinding, totals } from '../source/report.ts'
import { readSource } from '../source/source.ts'
import { readJson, readText, UsageError } from '../values.ts'
import { renderSimulation } from '../view/simulation.ts'
import { exitCodeOf } from './run.ts'

type Faults = NonNullable<SimulateOptions['faults']>[number][]
type People = NonNullable<SimulateOptions['people']>

interface SimulateFlags {
  input?: string
  mock: string[]
  mocks?: string
  fail: string[]
  loseWorker: string[]
  crashAfter: string[]
  answer: string[]
  signal: string[]
  workflow: string[]
}

const collect = (value: string, before: string[]): string[] => [...before, value]

export const addSimulate = (workflows: Command): void => {
  const many: string[] = []
  workflows
    .command('simulate')
    .argument('<file>', 'YAML or JSON, - is stdin; or a workflow in TypeScript or JavaScript')
    .description('run it here in virtual time, on mocked answers; exit code as `run --wait`')
    .option('--input <json|@file>', 'the input: JSON, @file, or @- for stdin')
    .option(
      '--mock <step=json|file>',
      'what a step answers: JSON, or a file (.json, .yaml); several times',
      collect,
      many,
    )
    .option('--mocks <file>', 'many mocks: a map of steps and what they answer')
    .option('--fail <step=code[@attempt]>', 'an attempt fails, the first one unless it says another', collect, many)
    .option('--lose-worker <step>', 'the worker dies in the middle of it', collect, many)
    .option('--crash-after <step>', 'the engine dies when it has ended', collect, many)
    .option(
      '--answer <step=json|file>',
      'what a person decides: {"approved": true}, {"action": "retry"}',
      collect,
      many,
    )
    .option('--signal <name=json|file>', 'a signal with its payload, from the start on', collect, many)
    .option('--workflow <file>', 'a child workflow, by the name it has', collect, many)
    .action(async (file: string, flags: SimulateFlags, command: Command) => {
      const context = contextOf(command)
      const code = openCodeFiles((text) => context.note(text))
      try {
        await simulateFile({ file, flags, context, code })
      } finally {
        await code.close()
      }
    })
}

/** `a=b` in two. */
const pairOf = (text: string, option: string): [name: string, value: string] => {
  const cut = text.indexOf('=')
  if (cut < 1) throw new UsageError(`${option} is written name=value, not ${text}`)
  return [text.slice(0, cut), text.slice(cut + 1)]
}

const readValueFile = async (file: string): Promise<Json> => {
  const text = await readText(file)
  if (extname(file).toLowerCase() === '.json') {
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new UsageError(`${file} is no JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const source = readSource(file, text)
  if (source.problems.length === 0) return source.value
  const lines = source.problems.flatMap((finding) => renderFinding(finding, source, { width: 120, color: false }))
  throw new UsageError([`${file} is no YAML`, ...lines].join('\n'))
}

/** JSON, or the file of that name; `@file` is always a file. */
const readValue = async (text: string, option: string): Promise<Json> => {
  if (text.startsWith('@')) return readValueFile(text.slice(1))
  try {
    return JSON.parse(text)
  } catch {
    if (/\.(json|ya?ml)$/i.test(text)) return readValueFile(text)
    throw new UsageError(`${option}: ${text} is neither JSON nor a file (.json, .yaml)`)
  }
}

const isMap = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const readPairs = async (pairs: readonly string[], option: string): Promise<[string, Json][]> =>
  Promise.all(
    pairs.map(async (pair): Promise<[string, Json]> => {
      const [name, value] = pairOf(pair, option)
      return [name, await readValue(value, `${option} ${name}`)]
    }),
  )

const readMocks = async (flags: SimulateFlags): Promise<Record<string, Json>> => {
  const many = flags.mocks === undefined ? {} : await readValueFile(flags.mocks)
  if (!isMap(many)) throw new UsageError(`${flags.mocks} is no map of steps and what they answer`)
  // one on the command line goes before the file
  return { ...many, ...Object.fromEntries(await readPairs(flags.mock, '--mock')) }
}

/** The simulator checks what each answer says. */
const readPeople = async ({ answer }: SimulateFlags): Promise<People> => {
  const pairs = await readPairs(answer, '--answer')
  const wrong = pairs.find(([, value]) => ![value].flat().every(isMap))
  if (wrong) throw new UsageError(`--answer ${wrong[0]}: an answer is a map, or a list of maps`)
  return Object.fromEntries(pairs) as People
}

const failOf = (text: string): Faults[number] => {
  const [step, value] = pairOf(text, '--fail')
  const [wanted = '', attempt] = value.split('@')
  const code = failureCodes.find((one) => one === wanted)
  if (!code) {
    const guess = nearest(wanted, failureCodes)
    throw new UsageError(`--fail ${text}: ${wanted} is no failure code${guess ? `; did you mean ${guess}?` : ''}`)
  }
  if (attempt !== undefined && !/^[1-9]\d*$/.test(attempt))
    throw new UsageError(`--fail ${text}: an attempt is a number from 1`)
  return { fail: { step, code, ...(attempt === undefined ? {} : { attempt: Number(attempt) }) } }
}

const faultsOf = ({ fail, loseWorker, crashAfter }: SimulateFlags): Faults => [
  ...fail.map(failOf),
  ...loseWorker.map((step) => ({ loseWorker: { step } })),
  ...crashAfter.map((step) => ({ crashAfter: step })),
]

interface Simulating {
  file: string
  flags: SimulateFlags
  context: Context
  code: CodeFiles
}

interface Loaded {
  name: string
  workflow: Definition | HostedWorkflow
}

/** A workflow in code; null: what is wrong with it has been printed. */
const codeOf = async (file: string, { code, context }: Simulating): Promise<Loaded | null> => {
  // one that is not there is a mistake of the command line, as for every file
  await readText(file)
  try {
    const workflow = await code.load(file)
    return { name: workflow.described.name, workflow }
  } catch (error) {
    context.note(error instanceof Error ? error.message : String(error))
    context.setExit(EXIT.error)
    return null
  }
}

/** A workflow without errors; null: they have been printed. */
const workflowOf = async (file: string, simulating: Simulating): Promise<Loaded | null> => {
  if (isCodeFile(file)) return codeOf(file, simulating)
  const { context } = simulating
  const { source, findings, definition } = await checkFile(file)
  if (definition) return { name: definition.name, workflow: definition }
  const options = { width: context.screen.width, color: context.color && process.stderr.isTTY === true }
  for (const text of findings.flatMap((finding) => renderFinding(finding, source, options))) context.note(text)
  context.note(totals(findings))
  context.setExit(EXIT.error)
  return null
}

const childrenOf = async (simulating: Simulating): Promise<Record<string, Loaded['workflow']> | null> => {
  const children: Record<string, Loaded['workflow']> = {}
  for (const file of simulating.flags.workflow) {
    const child = await workflowOf(file, simulating)
    if (!child) return null
    children[child.name] = child.workflow
  }
  return children
}

const simulateFile = async (simulating: Simulating): Promise<void> => {
  const { file, flags, context } = simulating
  const loaded = await workflowOf(file, simulating)
  const workflows = loaded && (await childrenOf(simulating))
  if (!loaded || !workflows) return
  const signals = (await readPairs(flags.signal, '--signal')).map(([name, payload]) => ({ name, payload }))
  const options: SimulateOptions = {
    ...(flags.input === undefined ? {} : { input: await readJson(flags.input, '--input') }),
    ...{ mocks: await readMocks(flags), faults: faultsOf(flags), people: await readPeople(flags), workflows, signals },
  }
  // loaded when asked for: no other command should pay for it
  const { InvalidDefinition, InvalidInput, InvalidOptions, simulate } = await import('@stepfleet/simulator')
  const simulation = await simulate(loaded.workflow, options).catch((error: unknown) => {
    // what is wrong with a file of YAML has been said already; code may have an input schema that is none
    const known = [InvalidDefinition, InvalidInput, InvalidOptions].some((one) => error instanceof one)
    if (known && error instanceof Error) throw new UsageError(error.message)
    throw error
  })
  context.setExit(exitCodeOf(simulation.status))
  if (context.json) return context.printJson(simulation)
  const { width } = context.screen
  for (const text of renderSimulation(simulation, { width, color: context.color, name: loaded.name }))
    context.print(text)
  if (simulation.status === 'completed') context.print(JSON.stringify(simulation.output, null, 2))
}
