// Wrong definitions: parts of the format that are not built yet.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { type Case, llm, MODEL, steps } from './builders.fixture.ts'

export const UNBUILT: Case[] = [
  {
    what: 'unbuilt top fields',
    definition: steps({ a: llm() }, { budget: { usd: 1 }, deadline: '1h', supervisor: {}, concurrency: {} }),
    errors: [
      ['budget', 'not_supported_yet'],
      ['deadline', 'not_supported_yet'],
      ['supervisor', 'not_supported_yet'],
      ['concurrency', 'not_supported_yet'],
    ],
  },
  {
    what: 'an unbuilt kind',
    definition: steps({ a: { steps: {} }, b: { run: 'x' } }),
    errors: [
      ['steps.b.run', 'not_supported_yet'],
      ['steps.a.steps', 'not_supported_yet'],
    ],
  },
  {
    what: 'unbuilt modifiers',
    definition: steps({ a: { ...llm({ fallback: [] }), repeat: {}, needs_any: [], compensate: {} } }),
    errors: [
      ['steps.a.repeat', 'not_supported_yet'],
      ['steps.a.compensate', 'not_supported_yet'],
      ['steps.a.needs_any', 'not_supported_yet'],
      ['steps.a.llm.fallback', 'not_supported_yet'],
    ],
  },
  {
    what: 'unbuilt joins',
    definition: steps({
      a: { ...llm(), each: { in: [1], join: 'any' } },
      b: { ...llm(), each: { in: [1], join: { atLeast: 2 } } },
    }),
    errors: [
      ['steps.a.each.join', 'not_supported_yet'],
      ['steps.b.each.join', 'not_supported_yet'],
    ],
  },
  {
    what: 'an unbuilt on_failure',
    definition: steps({ a: { ...llm(), on_failure: { use: null } } }),
    errors: [['steps.a.on_failure', 'not_supported_yet']],
  },
  {
    what: 'unbuilt tools',
    definition: steps({ a: { tool: 'shell' }, b: { tool: 'mcp.files' }, c: { tool: 'callback' } }),
    errors: [
      ['steps.a.tool', 'not_supported_yet'],
      ['steps.b.tool', 'not_supported_yet'],
      ['steps.c.tool', 'not_supported_yet'],
    ],
  },
  {
    what: "an agent's unbuilt tool",
    definition: steps({
      a: {
        agent: {
          model: MODEL,
          prompt: 'x',
          tools: [{ name: 'ask', description: 'd', input: { type: 'object' }, tool: 'mail', approval: {} }],
        },
      },
    }),
    errors: [['steps.a.agent.tools.0.approval', 'not_supported_yet']],
  },
  {
    what: 'unbuilt names',
    definition: steps({ a: { value: '${{ previous }}' }, b: { value: '${{ thread.id }}' } }),
    errors: [
      ['steps.a.value', 'not_supported_yet'],
      ['steps.b.value', 'not_supported_yet'],
    ],
  },
]
