// Prompt chaining as code: each step's output goes into the next; examples/code/greeting.yaml is the same as a graph.
//
//   STEPFLEET_WORKFLOWS=examples/code npx stepfleet dev
//   npx stepfleet run greeting-code --input '{"name": "Ada"}' --watch
import { defineWorkflow } from 'stepfleet'

const model = 'anthropic/claude-haiku-5-5'

export const greeting = defineWorkflow(
  {
    name: 'greeting-code',
    description: 'Writes a greeting and shortens it to a sentence.',
    input: { type: 'object', required: ['name'], properties: { name: { type: 'string', minLength: 1 } } },
  },
  async (run, input) => {
    const { name } = input as { name: string }
    const draft = await run.llm('draft', { model, prompt: `Write a greeting for ${name}` })
    const short = await run.llm('short', { model, prompt: `Make it one sentence: ${draft}` })
    return { draft, short }
  },
)
