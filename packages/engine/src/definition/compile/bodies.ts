// The body of a step: its kind with everything resolved and every template compiled.
import type { Definition, Json, StepDefinition } from '@stepfleet/contracts'
import { compileTemplate, type TemplateOptions } from '../../expressions.ts'
import type {
  AgentBody,
  AgentTool,
  AgentToolAction,
  ApprovalBody,
  LlmBody,
  ModelSettings,
  RunBody,
  StepBody,
  Template,
} from '../plan.ts'
import {
  DEFAULT_MAX_IDENTICAL,
  DEFAULT_MAX_TURNS,
  DEFAULT_TIMEOUT_MS,
  durationMs,
  retryOfTool,
  retryPolicy,
  toolEffect,
} from './defaults.ts'

/** What the bodies of one step are compiled with. */
export interface Context {
  readonly defaults: Definition['defaults']
  /** Steps that its templates mention, in order. */
  readonly mentioned: Set<string>
  /** Values are literals, whatever their text looks like. */
  readonly literal?: boolean | undefined
}

const VALUE: TemplateOptions = { secrets: false }
export const TEXT: TemplateOptions = { secrets: false, text: true }
const WITH: TemplateOptions = { secrets: true }

const literal = (source: Json): Template => {
  const rendered = { ok: true, value: source } as const
  return { source, constant: true, mentions: [], names: [], render: () => rendered }
}

/** Compiles a template that registration has accepted; throws on a bug. */
export const template = (context: Context, source: Json, options: TemplateOptions = VALUE): Template => {
  if (context.literal) return literal(source)
  const compiled = compileTemplate(source, options)
  if (!compiled.ok) throw new Error(`not a valid template: ${compiled.errors.map((error) => error.message).join('; ')}`)
  for (const mention of compiled.template.mentions) context.mentioned.add(mention.step)
  return compiled.template
}

type Llm = NonNullable<StepDefinition['llm']>
type Agent = NonNullable<StepDefinition['agent']>
type ToolEntry = NonNullable<Agent['tools']>[number]

const settingsOf = (body: Llm | Agent): ModelSettings => ({
  max_tokens: body.max_tokens,
  temperature: body.temperature,
  top_p: body.top_p,
  top_k: body.top_k,
  stop: body.stop,
  thinking: body.thinking,
  cache: body.cache,
})

const llm = (context: Context, body: Llm): LlmBody => {
  const messages = body.messages ?? [{ role: 'user' as const, content: body.prompt ?? '' }]
  return {
    kind: 'llm',
    model: body.model,
    fallback: body.fallback ?? [],
    system: body.system === undefined ? null : template(context, body.system, TEXT),
    messages: messages.map(({ role, content }) => ({ role, content: template(context, content, TEXT) })),
    output: body.output ?? null,
    settings: settingsOf(body),
  }
}

/** A tool named only: its workers' manifest says the rest. */
const moduleTool = (name: string): AgentTool => ({
  name,
  declared: null,
  effect: null,
  gate: false,
  timeoutMs: null,
  retry: null,
})

const actionOf = (context: Context, entry: Exclude<ToolEntry, string>): AgentToolAction => {
  if ('run' in entry) return run(context, entry.run)
  if ('approval' in entry) return approval(context, entry.approval)
  return { kind: 'tool', tool: entry.tool, with: template(context, entry.with ?? {}, WITH) }
}

/** Null: that of the tool itself, or of all tools. */
const timeoutOf = ({ tool, timeout }: { tool: string; timeout?: string | undefined }): number | null => {
  if (timeout !== undefined) return durationMs(timeout)
  return tool === 'callback' ? DEFAULT_TIMEOUT_MS.callback : null
}

const agentTool = (context: Context, entry: ToolEntry): AgentTool => {
  if (typeof entry === 'string') return moduleTool(entry)
  const { name, description, input } = entry
  const declared = { description, input, action: actionOf(context, entry) }
  if (!('tool' in entry)) return { ...moduleTool(name), declared }
  const effect = toolEffect(entry)
  const known = entry.retry !== undefined || effect !== null
  return {
    name,
    declared,
    effect,
    gate: entry.gate ?? false,
    timeoutMs: timeoutOf(entry),
    retry: known ? retryPolicy(entry.retry, context.defaults?.retry, effect, retryOfTool(entry.tool)) : null,
  }
}

const agent = (context: Context, body: Agent): AgentBody => ({
  kind: 'agent',
  model: body.model,
  fallback: body.fallback ?? [],
  system: body.system === undefined ? null : template(context, body.system, TEXT),
  prompt: template(context, body.prompt, TEXT),
  output: body.output ?? null,
  // each turn sends all turns before it again
  settings: { ...settingsOf(body), cache: body.cache ?? true },
  maxTurns: body.max_turns ?? DEFAULT_MAX_TURNS,
  maxIdentical: body.max_identical ?? DEFAULT_MAX_IDENTICAL,
  tools: (body.tools ?? []).map((entry) => agentTool(context, entry)),
  budget: body.budget ?? null,
})

const approval = (context: Context, body: NonNullable<StepDefinition['approval']>): ApprovalBody => ({
  kind: 'approval',
  show: body.show === undefined ? null : template(context, body.show),
  assignee: body.assignee ?? null,
  expiresMs: body.expires === undefined ? null : durationMs(body.expires),
  onExpiry: body.on_expiry ?? 'reject',
})

const run = (context: Context, body: NonNullable<StepDefinition['run']>): RunBody => {
  const said = typeof body === 'string' ? { workflow: body } : body
  return {
    kind: 'run',
    workflow: said.workflow,
    input: said.input === undefined ? null : template(context, said.input),
    detach: said.detach ?? false,
  }
}

const wait = (context: Context, body: NonNullable<StepDefinition['wait']>): StepBody => {
  if (typeof body === 'string') return { kind: 'wait', mode: 'for', time: template(context, body) }
  if ('for' in body) return { kind: 'wait', mode: 'for', time: template(context, body.for) }
  return { kind: 'wait', mode: 'until', time: template(context, body.until) }
}

const signal = (context: Context, body: NonNullable<StepDefinition['signal']>): StepBody => {
  const said = typeof body === 'string' ? { name: body } : body
  return {
    kind: 'signal',
    name: template(context, said.name, TEXT),
    schema: said.schema ?? null,
    timeoutMs: said.timeout === undefined ? null : durationMs(said.timeout),
  }
}

/** The compiled body of a step that has exactly one kind. */
export const compileBody = (context: Context, step: StepDefinition): StepBody => {
  if (step.llm) return llm(context, step.llm)
  if (step.agent) return agent(context, step.agent)
  if (step.tool !== undefined) return { kind: 'tool', tool: step.tool, with: template(context, step.with ?? {}, WITH) }
  if (step.approval) return approval(context, step.approval)
  if (step.wait !== undefined) return wait(context, step.wait)
  if (step.signal !== undefined) return signal(context, step.signal)
  if (step.run !== undefined) return run(context, step.run)
  if (step.steps) {
    return { kind: 'block', output: step.output === undefined ? null : template(context, step.output) }
  }
  if (step.value !== undefined) return { kind: 'value', value: template(context, step.value) }
  throw new Error('a step without a kind')
}
