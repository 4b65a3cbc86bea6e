// Tool uses of an agent: what the model asked for in a turn, joined with the tool that was fixed when the agent started.
import { type AgentToolBinding, type Json, type ToolUse, type TurnOutput, turnOutputSchema } from '@stepfleet/contracts'
import type { AgentTool } from '../definition/plan.ts'
import { parsePath, turnPath } from '../state/paths.ts'
import { agentTools } from '../state/state.ts'
import { load, planOf, stepAt, type Turn } from '../turn.ts'

/** The answer of a turn's model call; null when its payload has to be loaded first. */
export const turnOutput = (turn: Turn, agent: string, number: number): TurnOutput | null => {
  const step = stepAt(turn, turnPath(agent, number))
  const value = step.output ? load(turn, step.output) : null
  if (value === undefined) return null
  const parsed = turnOutputSchema.safeParse(value)
  if (parsed.success) return parsed.data
  // an operator's override: any value ends the agent with it
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return { content: [{ type: 'text', text }], text, toolUses: [] }
}

export interface ResolvedToolUse {
  name: string
  /** The tool that runs: `http`, or the module tool itself. */
  tool: string
  use: ToolUse
  args: Json
  /** null: the model asked for a tool that was never offered. */
  binding: AgentToolBinding | null
  plan: AgentTool | null
  gate: boolean
  timeoutMs: number
  offered: string[]
}

/** The tool use at `<agent>/turn-N/tool-I`; null when the turn's payload has to be loaded first. */
export const toolUseOf = (turn: Turn, path: string): ResolvedToolUse | null => {
  const { node, parent, index, turn: number } = parsePath(path)
  const plan = planOf(turn.plan, node)
  const answer = turnOutput(turn, parent ?? '', number ?? 0)
  if (answer === null) return null
  const use = answer.toolUses[index ?? 0]
  if (!use || plan.body.kind !== 'agent') throw new Error(`${path}: the turn has no such tool use`)
  const offered = agentTools(stepAt(turn, parent ?? ''))
  const binding = offered.find((tool) => tool.spec.name === use.name) ?? null
  const declared = plan.body.tools.find((tool) => tool.name === use.name) ?? null
  const action = declared?.declared?.action
  return {
    name: use.name,
    tool: action?.kind === 'tool' ? action.tool : use.name,
    use,
    args: use.input,
    binding,
    plan: declared,
    gate: declared?.gate ?? false,
    timeoutMs: declared?.timeoutMs ?? turn.tools.get(use.name)?.timeoutMs ?? DEFAULT_TOOL_TIMEOUT_MS,
    offered: offered.map((tool) => tool.spec.name),
  }
}

const DEFAULT_TOOL_TIMEOUT_MS = 60_000
