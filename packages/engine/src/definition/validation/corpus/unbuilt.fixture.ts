// Wrong definitions: parts of the format that are not built yet.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { type Case, llm, MODEL, steps } from './builders.fixture.ts'

export const UNBUILT: Case[] = [
  {
    what: 'unbuilt top fields',
    definition: steps({ a: llm() }, { supervisor: {} }),
    errors: [['supervisor', 'not_supported_yet']],
  },
  {
    what: 'unbuilt modifiers, also inside of blocks',
    definition: steps({
      a: { ...llm(), thread: true },
      b: { steps: { c: { value: 1, thread: true }, d: { steps: { e: { ...llm(), budget: {} } } } } },
    }),
    errors: [
      ['steps.a.thread', 'not_supported_yet'],
      ['steps.b.steps.c.thread', 'not_supported_yet'],
      ['steps.b.steps.d.steps.e.budget', 'not_supported_yet'],
    ],
  },
  {
    what: 'unbuilt tools',
    definition: steps({
      a: { tool: 'shell' },
      b: { tool: 'mcp.files' },
      d: { tool: 'mail', compensate: { tool: 'shell' } },
    }),
    errors: [
      ['steps.a.tool', 'not_supported_yet'],
      ['steps.b.tool', 'not_supported_yet'],
      ['steps.d.compensate.tool', 'not_supported_yet'],
    ],
  },
  {
    what: "an agent's unbuilt parts",
    definition: steps({
      a: {
        agent: {
          model: MODEL,
          prompt: 'x',
          tools: [{ name: 'ask', description: 'd', input: { type: 'object' }, tool: 'mcp.ask' }],
        },
      },
    }),
    errors: [['steps.a.agent.tools.0.tool', 'not_supported_yet']],
  },
  {
    what: 'an unbuilt name',
    definition: steps({ a: { value: '${{ thread.id }}' } }),
    errors: [['steps.a.value', 'not_supported_yet']],
  },
]
