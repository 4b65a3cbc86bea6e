// What the corpus of wrong definitions is written with.
import type { ValidationCode } from '../findings.ts'

export type Expected = [path: string, code: ValidationCode, suggestion?: string]
export interface Case {
  what: string
  definition: unknown
  errors: Expected[]
}

export const MODEL = 'anthropic/claude-sonnet-5-5'
export const steps = (made: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  name: 'flow',
  ...more,
  steps: made,
})
export const llm = (more: Record<string, unknown> = {}) => ({ llm: { model: MODEL, prompt: 'Hi', ...more } })
export const http = (more: Record<string, unknown> = {}) => ({
  tool: 'http',
  with: { url: 'https://x.example', ...more },
})
export const input = {
  type: 'object',
  properties: { topic: { type: 'string' }, nested: { type: 'object', properties: { a: {} } } },
}
export const agent = (...tools: unknown[]) => ({ agent: { model: MODEL, prompt: 'x', tools } })
/** What the model is told of a tool. */
export const tool = { name: 'ask', description: 'd', input: { type: 'object' } }
export const block = (made: Record<string, unknown>, more = {}) => ({ steps: made, ...more })
/** Blocks in blocks. */
export const deep = (levels: number): Record<string, unknown> =>
  levels === 0 ? { value: 1 } : block({ [`s${levels}`]: deep(levels - 1) })
