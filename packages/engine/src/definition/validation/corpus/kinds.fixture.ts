// Wrong definitions: kinds, modifiers, models, effects, schemas.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { type Case, type Expected, http, llm, MODEL, steps } from './builders.fixture.ts'

export const KINDS: Case[] = [
  { what: 'no kind', definition: steps({ a: { needs: [] } }), errors: [['steps.a', 'no_kind']] },
  {
    what: 'a mistyped kind',
    definition: steps({ a: { lm: { model: MODEL, prompt: 'x' } } }),
    errors: [['steps.a.lm', 'unknown_field', 'llm']],
  },
  {
    what: 'the fields of a kind without it',
    definition: steps({ a: { model: MODEL } }),
    errors: [['steps.a.model', 'unknown_field', 'llm.model']],
  },
  { what: 'two kinds', definition: steps({ a: { ...llm(), tool: 'mail' } }), errors: [['steps.a', 'several_kinds']] },
  {
    what: 'a model call and a child',
    definition: steps({ a: { ...llm(), run: 'other' } }),
    errors: [['steps.a', 'several_kinds']],
  },
  {
    what: 'neither prompt nor messages',
    definition: steps({ a: { llm: { model: MODEL } } }),
    errors: [['steps.a.llm.prompt', 'missing_field']],
  },
  {
    what: 'prompt and messages',
    definition: steps({ a: llm({ messages: [{ role: 'user', content: 'x' }] }) }),
    errors: [['steps.a.llm.messages', 'invalid_value']],
  },
  {
    what: 'a provider that is mistyped',
    definition: steps({ a: llm({ model: 'opnai/gpt-5' }) }),
    errors: [['steps.a.llm.model', 'unknown_provider', 'openai/gpt-5']],
  },
  {
    what: 'a mistyped provider',
    definition: steps({ a: llm({ model: 'antropic/claude-sonnet-5-5' }) }),
    errors: [['steps.a.llm.model', 'unknown_provider', MODEL]],
  },
  {
    what: 'settings that models refuse',
    definition: steps({ a: llm({ temperature: 0.5, top_p: 1, top_k: 3 }) }),
    errors: [
      ['steps.a.llm.temperature', 'setting_not_supported'],
      ['steps.a.llm.top_p', 'setting_not_supported'],
      ['steps.a.llm.top_k', 'setting_not_supported'],
    ],
  },
  {
    what: 'thinking that is no level and no budget',
    definition: steps({
      a: llm({ thinking: 'loudly' }),
      b: llm({ thinking: { budget: 10 } }),
      c: llm({ thinking: true }),
      d: llm({ cache: { ttl: '1h' } }),
    }),
    errors: [
      ['steps.a.llm.thinking', 'invalid_value'],
      ['steps.b.llm.thinking.budget', 'invalid_value'],
      ['steps.c.llm.thinking', 'wrong_type'],
      ['steps.d.llm.cache', 'wrong_type'],
    ],
  },
  {
    what: 'a thinking budget where the model takes none, or without room for an answer',
    definition: steps({
      a: llm({ thinking: { budget: 2_000 } }),
      b: llm({ model: 'anthropic/claude-haiku-4-5', thinking: { budget: 4_096 } }),
      c: llm({ model: 'anthropic/claude-haiku-4-5', thinking: { budget: 2_000 }, max_tokens: 2_000 }),
      d: llm({ model: 'anthropic/claude-haiku-4-5', thinking: { budget: 2_000 }, fallback: [MODEL] }),
      e: llm({ model: 'openai/gpt-5', thinking: { budget: 2_000 } }),
      f: llm({ model: 'openai/gpt-4.1', thinking: 'low', cache: true }),
    }),
    errors: [
      ['steps.a.llm.thinking', 'setting_not_supported', 'medium'],
      ['steps.b.llm.thinking.budget', 'invalid_value'],
      ['steps.c.llm.thinking.budget', 'invalid_value'],
      ['steps.d.llm.thinking', 'setting_not_supported', 'medium'],
      ['steps.e.llm.thinking', 'setting_not_supported', 'medium'],
      ['steps.f.llm.thinking', 'setting_not_supported'],
    ],
  },
  {
    what: 'a timeout on a wait',
    definition: steps({ a: { wait: '1s', timeout: '1s' } }),
    errors: [['steps.a.timeout', 'misplaced_modifier']],
  },
  {
    what: 'a timeout on a signal',
    definition: steps({ a: { signal: 'go', timeout: '1s' } }),
    errors: [['steps.a.timeout', 'misplaced_modifier', 'signal.timeout']],
  },
  {
    what: 'a retry and an effect on a value',
    definition: steps({ a: { value: 1, retry: {}, effect: 'read' } }),
    errors: [
      ['steps.a.retry', 'misplaced_modifier'],
      ['steps.a.effect', 'misplaced_modifier'],
    ],
  },
  {
    what: 'a gate on an agent',
    definition: steps({ a: { agent: { model: MODEL, prompt: 'x' }, gate: true } }),
    errors: [['steps.a.gate', 'misplaced_modifier', 'agent.tools.<tool>.gate']],
  },
  {
    what: 'with on an llm',
    definition: steps({ a: { ...llm(), with: {} } }),
    errors: [['steps.a.with', 'misplaced_modifier']],
  },
  {
    what: 'http without a url',
    definition: steps({ a: { tool: 'http', with: { query: {} } } }),
    errors: [['steps.a.with.url', 'missing_field']],
  },
  {
    what: 'a mistyped method',
    definition: steps({ a: http({ method: 'PSOT' }) }),
    errors: [['steps.a.with.method', 'invalid_value', 'POST']],
  },
  {
    what: 'once without its gate',
    definition: steps({ a: { tool: 'mail', effect: 'once' } }, { irreversible: 'gate' }),
    errors: [['steps.a.gate', 'gate_required', 'gate: true']],
  },
  {
    what: 'a POST without its gate',
    definition: steps({ a: http({ method: 'post' }) }, { irreversible: 'gate' }),
    errors: [['steps.a.gate', 'gate_required', 'gate: true']],
  },
  {
    what: 'a method nobody knows, without its gate',
    definition: steps({ a: http({ method: '${{ input.m }}' }) }, { irreversible: 'gate' }),
    errors: [['steps.a.gate', 'gate_required', 'gate: true']],
  },
  {
    what: 'an effect nobody knows, without its gate',
    definition: steps({ a: { tool: 'mail' } }, { irreversible: 'gate' }),
    errors: [['steps.a.gate', 'gate_required', 'effect: read']],
  },
  {
    what: "an agent's tools without their gates",
    definition: steps(
      {
        a: {
          agent: {
            model: MODEL,
            prompt: 'x',
            tools: ['mail', { name: 'pay', description: 'd', input: { type: 'object' }, tool: 'pay', effect: 'once' }],
          },
        },
      },
      { irreversible: 'gate' },
    ),
    errors: [
      ['steps.a.agent.tools.0.gate', 'gate_required', 'effect: read'],
      ['steps.a.agent.tools.1.gate', 'gate_required', 'gate: true'],
    ],
  },
  {
    what: 'an agent tool whose input is no object',
    definition: steps({
      a: {
        agent: {
          model: MODEL,
          prompt: 'x',
          tools: [{ name: 'f', description: 'd', input: { type: 'string' }, tool: 'mail' }],
        },
      },
    }),
    errors: [['steps.a.agent.tools.0.input.type', 'invalid_schema', 'object']],
  },
  {
    what: 'a bad schema',
    definition: steps({
      a: llm({
        output: {
          type: 'objekt',
          properties: [],
          required: 'x',
          minItems: -1,
          $ref: '#/nope',
          pattern: '(',
          items: 3,
          enum: [],
          anyOf: [],
          uniqueItems: 1,
        },
      }),
    }),
    errors: [
      ['steps.a.llm.output.type', 'invalid_schema', 'object'],
      ...['properties', 'required', 'minItems', '$ref', 'pattern', 'items', 'enum', 'anyOf', 'uniqueItems'].map(
        (key): Expected => [`steps.a.llm.output.${key}`, 'invalid_schema'],
      ),
    ],
  },
  {
    what: 'a bad input schema, deep inside',
    definition: steps({ a: llm() }, { input: { type: 'object', properties: { a: { type: ['string', 'nul'] } } } }),
    errors: [['input.properties.a.type', 'invalid_schema', 'null']],
  },
  {
    what: 'a schema from elsewhere',
    definition: steps({ a: { signal: { name: 'go', schema: { $ref: 'https://x.example/s.json' } } } }),
    errors: [['steps.a.signal.schema.$ref', 'invalid_schema']],
  },
]
