// Module tools: one call of a user's tool, its input and output checked.
import type { Json } from '@stepfleet/contracts'
import { type Logger, TaskFailure } from '@stepfleet/runtime'
import type { ToolLog } from 'stepfleet'
import { safeFailure } from '../failure.ts'
import type { Secrets } from '../secrets.ts'
import type { LoadedTool } from './registry.ts'

export interface ModuleCall {
  /** The step's `with`, secrets resolved. */
  input: Json
  signal: AbortSignal
  effectKey: string
  attempt: number
  log: Logger
}

const toolLog = (log: Logger, tool: string): ToolLog => ({
  debug: (message, fields) => log.debug({ tool, ...fields }, message),
  info: (message, fields) => log.info({ tool, ...fields }, message),
  warn: (message, fields) => log.warn({ tool, ...fields }, message),
  error: (message, fields) => log.error({ tool, ...fields }, message),
})

/**
 * Runs the tool. Its result is not yet known to be JSON.
 * @throws TaskFailure `tool_input_invalid` (the tool is not called), `tool_output_invalid`; what the tool throws
 */
export const callModule = async (loaded: LoadedTool, secrets: Secrets, call: ModuleCall): Promise<unknown> => {
  const { tool } = loaded
  const { name } = tool.manifest.spec
  const input = await loaded.checkInput(call.input)
  if (!input.ok) throw new TaskFailure(safeFailure('tool_input_invalid', `${name}: ${input.problem}`))
  const context = {
    signal: call.signal,
    effectKey: call.effectKey,
    attempt: call.attempt,
    log: toolLog(call.log, name),
    secrets: await secrets.named(tool.manifest.secrets),
  }
  const result = await tool.run(input.value, context)
  if (!loaded.checkOutput) return result
  const output = await loaded.checkOutput(result)
  if (!output.ok) throw new TaskFailure(safeFailure('tool_output_invalid', `${name}: ${output.problem}`))
  return output.value
}
