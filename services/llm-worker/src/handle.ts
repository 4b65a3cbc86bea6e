// What the llm-worker does with a task: one attempt at an answer, with at most one round of repair when it does not fit its schema.
import {
  failure,
  type Json,
  type LlmInput,
  llmInputSchema,
  type Task,
  type TurnOutput,
  taskId,
  type Usage,
} from '@stepfleet/contracts'
import { type TaskContext, TaskFailure, type TaskHandler, type TaskResult } from '@stepfleet/runtime'
import type { SchemaChecks } from '@stepfleet/schemas'
import type { Conversations } from './conversation.ts'
import { countsAgainstDependency, failureOf } from './failure.ts'
import { type OutputContract, outputContract, repairPrompt } from './output.ts'
import { assertFitsContext } from './providers/context-windows.ts'
import { addUsage, type ModelAnswer, type ModelProvider, type ModelRequest } from './providers/provider.ts'

export interface HandlerOptions {
  providers: readonly ModelProvider[]
  conversations: Conversations
  checks: SchemaChecks
}

/** An answer that fits: its value, and the model's own content that it came in. */
interface Fitting {
  answer: ModelAnswer
  value: Json
  usage: Usage | undefined
}

const splitModel = (model: string): { provider: string; name: string } => {
  const cut = model.indexOf('/')
  return { provider: model.slice(0, Math.max(0, cut)), name: model.slice(cut + 1) }
}

const inputOf = (input: Json): LlmInput => {
  const parsed = llmInputSchema.safeParse(input)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new TaskFailure(
    failure('bad_request', `the task's input is wrong at ${issue?.path.join('.')}: ${issue?.message}`),
  )
}

const systemOf = (input: LlmInput, contract: OutputContract | null): string | null => {
  const parts = [input.system, contract?.instruction].filter((part) => typeof part === 'string' && part !== '')
  return parts.length === 0 ? null : parts.join('\n\n')
}

/** Runs a call; what it throws carries the usage of the attempt so far too. */
const withUsage = async <T>(before: Usage | undefined, fn: () => Promise<T>): Promise<T> => {
  try {
    return await fn()
  } catch (error) {
    if (error instanceof TaskFailure) throw new TaskFailure(error.failure, addUsage(before, error.usage))
    throw error
  }
}

/** The answer's value; asked for again once, with the errors, when it does not fit. */
const fit = async (
  answer: ModelAnswer,
  contract: OutputContract,
  ask: (repair: ModelRequest['messages']) => Promise<ModelAnswer>,
): Promise<Fitting> => {
  const first = contract.read(answer.text)
  if (first.ok) return { answer, value: first.value, usage: answer.usage }
  const said = Array.isArray(answer.content) && answer.content.length > 0
  const again = await withUsage(answer.usage, () =>
    ask([
      ...(said ? [{ role: 'answer' as const, content: answer.content, text: answer.text, toolUses: [] }] : []),
      { role: 'user', text: repairPrompt(first.errors) },
    ]),
  )
  const usage = addUsage(answer.usage, again.usage)
  const second = contract.read(again.text)
  if (second.ok) return { answer: again, value: second.value, usage }
  const message = `the answer does not fit its schema, also when asked again: ${second.errors.slice(0, 3).join('; ')}`
  throw new TaskFailure(failure('malformed_output', message, { details: { errors: second.errors } }), usage)
}

/** As its own type, so that a JSON value can be made of it. */
const turn = ({ content, text, toolUses }: TurnOutput): Json => ({
  content,
  text,
  toolUses: toolUses.map(({ id, name, input }) => ({ id, name, input })),
})

class LlmHandler implements TaskHandler {
  readonly #providers: ReadonlyMap<string, ModelProvider>
  readonly #options: HandlerOptions

  constructor(options: HandlerOptions) {
    this.#options = options
    this.#providers = new Map(options.providers.map((provider) => [provider.name, provider]))
  }

  dependency(_task: Task, input: Json): string | null {
    const parsed = llmInputSchema.safeParse(input)
    return parsed.success ? parsed.data.model : null
  }

  /**
   * Output of a step without `agent`: the text, or with a schema the value. Of an agent's turn: a TurnOutput; when it asks for no
   * tools it is the last one, and with a schema its `text` is the JSON text of the value (unwrapped, checked), which
   * need not be the text in `content`.
   */
  async run(context: TaskContext): Promise<TaskResult> {
    const { task, signal, effectKey, record } = context
    const input = inputOf(context.input)
    const { provider, name } = this.#provider(input.model)
    const contract = input.output ? outputContract(input.output, this.#options.checks) : null
    const messages = await this.#options.conversations.messages({ ns: task.ns, run: task.run, record }, input)
    const request: ModelRequest = {
      model: name,
      system: systemOf(input, contract),
      messages,
      tools: input.agent?.tools ?? [],
      toolChoice: 'auto',
      format: contract?.format ?? null,
      settings: input.settings,
      effectKey,
      taskId: taskId(task),
    }
    assertFitsContext(input.model, request)
    const answer = await provider.call(request, signal)
    if (answer.toolUses.length > 0) return this.#toolTurn(input, answer)
    if (!contract) return this.#plain(input, answer)
    const fitting = await fit(answer, contract, async (repair) => {
      const again: ModelRequest = { ...request, messages: [...messages, ...repair], toolChoice: 'none' }
      assertFitsContext(input.model, again)
      return provider.call(again, signal)
    })
    const { value, usage } = fitting
    const last: TurnOutput = { content: fitting.answer.content, text: JSON.stringify(value), toolUses: [] }
    return { output: input.agent ? turn(last) : value, usage }
  }

  #provider(model: string): { provider: ModelProvider; name: string } {
    const { provider: wanted, name } = splitModel(model)
    const provider = this.#providers.get(wanted)
    if (provider) return { provider, name }
    throw new TaskFailure(
      failure('model_unknown', `this worker serves ${[...this.#providers.keys()].join(', ')}, not ${model}`),
    )
  }

  #toolTurn(input: LlmInput, answer: ModelAnswer): TaskResult {
    if (input.agent) return { output: turn(answer), usage: answer.usage }
    const names = answer.toolUses.map((use) => use.name).join(', ')
    throw new TaskFailure(
      failure('malformed_output', `the model asked for ${names}, but no tool was offered`),
      answer.usage,
    )
  }

  #plain(input: LlmInput, answer: ModelAnswer): TaskResult {
    // silence is never success
    if (answer.text.trim() === '')
      throw new TaskFailure(failure('malformed_output', 'the model answered with nothing'), answer.usage)
    return { output: input.agent ? turn(answer) : answer.text, usage: answer.usage }
  }

  classify(error: unknown, context: TaskContext): ReturnType<TaskHandler['classify']> {
    return failureOf(error, context.signal)
  }

  countsAgainstDependency(given: Parameters<TaskHandler['countsAgainstDependency']>[0]): boolean {
    return countsAgainstDependency(given)
  }
}

/** The handler of llm tasks. */
export const createHandler = (options: HandlerOptions): TaskHandler => new LlmHandler(options)
