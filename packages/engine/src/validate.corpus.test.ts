// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
// A corpus of wrong definitions: each must give exactly these errors, at these places, with these suggestions.
import { describe, expect, it } from 'vitest'
import { validate } from './validate.ts'
import { VALIDATION_CODES, type ValidationCode } from './validation/findings.ts'

type Expected = [path: string, code: ValidationCode, suggestion?: string]
interface Case {
  what: string
  definition: unknown
  errors: Expected[]
}

const MODEL = 'anthropic/claude-sonnet-5-5'
const steps = (made: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  name: 'flow',
  ...more,
  steps: made,
})
const llm = (more: Record<string, unknown> = {}) => ({ llm: { model: MODEL, prompt: 'Hi', ...more } })
const http = (more: Record<string, unknown> = {}) => ({ tool: 'http', with: { url: 'https://x.example', ...more } })
const input = {
  type: 'object',
  properties: { topic: { type: 'string' }, nested: { type: 'object', properties: { a: {} } } },
}

const SHAPE: Case[] = [
  { what: 'text instead of a definition', definition: 'name: x', errors: [['', 'wrong_type']] },
  {
    what: 'nothing',
    definition: {},
    errors: [
      ['name', 'missing_field'],
      ['steps', 'missing_field'],
    ],
  },
  { what: 'no steps', definition: steps({}), errors: [['steps', 'empty_steps']] },
  { what: 'steps as a list', definition: steps([llm()] as never), errors: [['steps', 'wrong_type']] },
  {
    what: 'a mistyped top field',
    definition: steps({ a: llm() }, { inputs: input }),
    errors: [['inputs', 'unknown_field', 'input']],
  },
  {
    what: 'a bad workflow name',
    definition: { name: 'My Flow', steps: { a: llm() } },
    errors: [['name', 'invalid_value']],
  },
  {
    what: 'a bad step name',
    definition: steps({ 'Bad-Name': llm() }),
    errors: [['steps.Bad-Name', 'invalid_value', 'bad_name']],
  },
  {
    what: 'a reserved step name',
    definition: steps({ in: llm() }),
    errors: [['steps.in', 'invalid_value', 'in_step']],
  },
  { what: 'a step as text', definition: steps({ a: 'llm' }), errors: [['steps.a', 'wrong_type']] },
  {
    what: 'a missing model',
    definition: steps({ a: { llm: { prompt: 'x' } } }),
    errors: [['steps.a.llm.model', 'missing_field']],
  },
  {
    what: 'a mistyped field of llm',
    definition: steps({ a: { llm: { modle: MODEL, prompt: 'x' } } }),
    errors: [
      ['steps.a.llm.model', 'missing_field'],
      ['steps.a.llm.modle', 'unknown_field', 'model'],
    ],
  },
  {
    what: 'a model without its provider',
    definition: steps({ a: llm({ model: 'claude-sonnet-5-5' }) }),
    errors: [['steps.a.llm.model', 'invalid_value']],
  },
  {
    what: 'a number for text',
    definition: steps({ a: llm({ prompt: 5 }) }),
    errors: [['steps.a.llm.prompt', 'wrong_type']],
  },
  {
    what: 'a setting out of range',
    definition: steps({ a: llm({ max_tokens: 0 }) }),
    errors: [['steps.a.llm.max_tokens', 'invalid_value']],
  },
  {
    what: 'too many attempts',
    definition: steps({ a: { ...llm(), retry: { attempts: 50 } } }),
    errors: [['steps.a.retry.attempts', 'invalid_value']],
  },
  {
    what: 'an unknown failure code',
    definition: steps({ a: { ...llm(), retry: { never: ['timeouts'] } } }),
    errors: [['steps.a.retry.never.0', 'invalid_value', 'timeout']],
  },
  {
    what: 'a duration in words',
    definition: steps({ a: { ...llm(), timeout: '5 minutes' } }),
    errors: [['steps.a.timeout', 'invalid_duration', '5m']],
  },
  {
    what: 'a duration as a number',
    definition: steps({ a: { ...llm(), timeout: 30 } }),
    errors: [['steps.a.timeout', 'wrong_type']],
  },
  {
    what: 'a duration over the limit',
    definition: steps({ a: { approval: { expires: '91d' } } }),
    errors: [['steps.a.approval.expires', 'invalid_duration', '91d']],
  },
  {
    what: 'a bad on_failure',
    definition: steps({ a: { ...llm(), on_failure: 'continu' } }),
    errors: [['steps.a.on_failure', 'invalid_value', 'continue']],
  },
  {
    what: 'each as a number',
    definition: steps({ a: { ...llm(), each: 3 } }),
    errors: [['steps.a.each', 'wrong_type']],
  },
  {
    what: 'each without in',
    definition: steps({ a: { ...llm(), each: { concurrency: 2 } } }),
    errors: [['steps.a.each.in', 'missing_field']],
  },
  {
    what: 'a mistyped field of each',
    definition: steps({ a: { ...llm(), each: { in: [1], concurency: 2 } } }),
    errors: [['steps.a.each.concurency', 'unknown_field', 'concurrency']],
  },
  {
    what: 'a wait with both',
    definition: steps({ a: { wait: { for: '1s', until: '2030-01-01T00:00:00Z' } } }),
    errors: [['steps.a.wait', 'invalid_value']],
  },
  { what: 'a wait with neither', definition: steps({ a: { wait: {} } }), errors: [['steps.a.wait', 'invalid_value']] },
  {
    what: 'a wait in words',
    definition: steps({ a: { wait: 'tomorrow' } }),
    errors: [['steps.a.wait', 'invalid_duration']],
  },
  {
    what: 'a wait until a date without its zone',
    definition: steps({ a: { wait: { until: '2030-01-01' } } }),
    errors: [['steps.a.wait.until', 'invalid_value', '2030-01-31T12:00:00Z']],
  },
  {
    what: 'an agent without a prompt',
    definition: steps({ a: { agent: { model: MODEL } } }),
    errors: [['steps.a.agent.prompt', 'missing_field']],
  },
  {
    what: 'an agent tool without its parts',
    definition: steps({
      a: { agent: { model: MODEL, prompt: 'x', tools: [{ name: 'find', tool: 'http', with: { url: 'u' } }] } },
    }),
    errors: [
      ['steps.a.agent.tools.0.description', 'missing_field'],
      ['steps.a.agent.tools.0.input', 'missing_field'],
    ],
  },
  {
    what: 'a bad name of an agent tool',
    definition: steps({ a: { agent: { model: MODEL, prompt: 'x', tools: ['Find-It', 'find', 'find'] } } }),
    errors: [
      ['steps.a.agent.tools.0', 'invalid_value'],
      ['steps.a.agent.tools.2', 'duplicate_tool'],
    ],
  },
  {
    what: 'too many labels',
    definition: steps(
      { a: llm() },
      { labels: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`l${i}`, 'x'])) },
    ),
    errors: [['labels', 'invalid_value']],
  },
  {
    what: 'a prototype',
    definition: JSON.parse(`{"name":"x","steps":{"a":{"tool":"mail","with":{"__proto__":{"x":1}}}}}`),
    errors: [['steps.a.with.__proto__', 'invalid_value']],
  },
  {
    what: 'what is no JSON',
    definition: steps({ a: { value: () => 1 } }),
    errors: [
      ['steps.a.value', 'wrong_type'],
      ['steps.a', 'no_kind'],
    ],
  },
]

const KINDS: Case[] = [
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
    what: 'a built and an unbuilt kind',
    definition: steps({ a: { ...llm(), run: 'other' } }),
    errors: [
      ['steps.a.run', 'not_supported_yet'],
      ['steps.a', 'several_kinds'],
    ],
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
    what: 'a provider that is not served',
    definition: steps({ a: llm({ model: 'openai/gpt-5' }) }),
    errors: [['steps.a.llm.model', 'unknown_provider', 'anthropic/claude-opus-5-5']],
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

const UNBUILT: Case[] = [
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

const EXPRESSIONS: Case[] = [
  {
    what: 'a mistyped step',
    definition: steps({ search: http(), a: llm({ prompt: '${{ steps.serch.output }}' }) }),
    errors: [['steps.a.llm.prompt', 'unknown_step', 'search']],
  },
  {
    what: 'a mistyped need',
    definition: steps({ search: http(), a: { ...llm(), needs: ['serach'] } }),
    errors: [['steps.a.needs.0', 'unknown_step', 'search']],
  },
  {
    what: 'a mistyped field of a step',
    definition: steps({ s: http(), a: { value: ['${{ steps.s.outputt }}'] } }),
    errors: [['steps.a.value.0', 'unknown_step_field', 'steps.s.output']],
  },
  {
    what: 'output left out',
    definition: steps({ s: http(), a: { value: '${{ steps.s.title }}' } }),
    errors: [['steps.a.value', 'unknown_step_field', 'steps.s.output.title']],
  },
  {
    what: 'a step without steps.',
    definition: steps({ s: http(), a: { value: '${{ s.output }}' } }),
    errors: [['steps.a.value', 'unknown_name', 'steps.s.output']],
  },
  {
    what: 'a mistyped name',
    definition: steps({ a: { value: '${{ inptu.x }}' } }),
    errors: [['steps.a.value', 'unknown_name', 'input']],
  },
  {
    what: 'a mistyped field of run',
    definition: steps({ a: { value: '${{ run.namespac }}' } }),
    errors: [['steps.a.value', 'unknown_name', 'namespace']],
  },
  {
    what: 'a mistyped input',
    definition: steps({ a: { value: '${{ input.topik }}' } }, { input }),
    errors: [['steps.a.value', 'unknown_input_field', 'topic']],
  },
  {
    what: 'a mistyped input, deeper',
    definition: steps({ a: { if: '${{ has(input.nested.aa) }}', value: 1 } }, { input }),
    errors: [['steps.a.if', 'unknown_input_field', 'a']],
  },
  {
    what: 'a mistyped output field',
    definition: steps({
      a: llm({ output: { type: 'object', properties: { text: {} } } }),
      b: { value: '${{ steps.a.output.txet }}' },
    }),
    errors: [['steps.b.value', 'unknown_output_field', 'text']],
  },
  {
    what: 'a member of a text',
    definition: steps({ a: llm(), b: { value: '${{ steps.a.output.text }}' } }),
    errors: [['steps.b.value', 'unknown_output_field']],
  },
  {
    what: 'a member of the list of items',
    definition: steps({ a: { ...http(), each: { in: [1] } }, b: { value: '${{ steps.a.output.body }}' } }),
    errors: [['steps.b.value', 'unknown_output_field']],
  },
  {
    what: 'a mistyped field of an approval',
    definition: steps({ a: { approval: {} }, b: { if: '${{ steps.a.output.aproved }}', value: 1 } }),
    errors: [['steps.b.if', 'unknown_output_field', 'approved']],
  },
  {
    what: 'a circle',
    definition: steps({
      a: { value: '${{ steps.c.output }}' },
      b: { value: '${{ steps.a.output }}' },
      c: { value: 1, needs: ['b'] },
    }),
    errors: [['steps.a', 'cycle']],
  },
  {
    what: 'a step that needs itself',
    definition: steps({ a: { value: '${{ steps.a.output }}' }, b: { value: 1, needs: ['b'] } }),
    errors: [
      ['steps.a.value', 'needs_self'],
      ['steps.b.needs.0', 'needs_self'],
    ],
  },
  {
    what: 'what is no expression',
    definition: steps({ a: llm({ system: '${{ 1 + }}', prompt: 'x ${{ foo(1) }} ${{ sice([1]) }}' }) }),
    errors: [
      ['steps.a.llm.system', 'bad_expression'],
      ['steps.a.llm.prompt', 'bad_expression'],
      ['steps.a.llm.prompt', 'bad_expression', 'size()'],
    ],
  },
  {
    what: 'an expression without its end',
    definition: steps({ a: { value: '${{ input' } }),
    errors: [['steps.a.value', 'bad_expression']],
  },
  {
    what: 'a pattern',
    definition: steps({ a: { value: '${{ "a".matches("b") }}' } }),
    errors: [['steps.a.value', 'bad_expression']],
  },
  {
    what: 'an if that is text',
    definition: steps({ a: { ...llm(), if: 'input.x > 1' } }),
    errors: [['steps.a.if', 'invalid_value', '${{ input.x > 1 }}']],
  },
  {
    what: 'an if with text around',
    definition: steps({ a: { ...llm(), if: '${{ input.x }} and more' } }),
    errors: [['steps.a.if', 'invalid_value']],
  },
  {
    what: 'an each that is text',
    definition: steps({ a: { ...llm(), each: 'input.list' } }),
    errors: [['steps.a.each', 'invalid_value', '${{ input.list }}']],
  },
  {
    what: 'item without each',
    definition: steps({ a: { value: '${{ item }} ${{ index }}' } }),
    errors: [
      ['steps.a.value', 'item_outside_each'],
      ['steps.a.value', 'item_outside_each'],
    ],
  },
  {
    what: 'item in if and each',
    definition: steps({ a: { value: 1, if: '${{ item == 1 }}', each: '${{ item }}' } }),
    errors: [
      ['steps.a.if', 'item_outside_each'],
      ['steps.a.each', 'item_outside_each'],
    ],
  },
  {
    what: 'item under another name',
    definition: steps({ a: { value: '${{ item }}', each: { in: [1], as: 'query' } } }),
    errors: [['steps.a.value', 'unknown_name', 'query']],
  },
  {
    what: 'an item that hides a name',
    definition: steps({ a: { value: 1, each: { in: [1], as: 'input' } } }),
    errors: [['steps.a.each.as', 'shadowed_name']],
  },
  {
    what: 'a variable that hides the item',
    definition: steps({ a: { value: '${{ [1].map(item, item) }}', each: { in: [1] } } }),
    errors: [['steps.a.value', 'shadowed_name']],
  },
  {
    what: 'args outside an agent',
    definition: steps({ a: { ...http({ query: '${{ args.q }}' }) } }),
    errors: [['steps.a.with.query', 'unknown_name']],
  },
  {
    what: 'a secret in a prompt',
    definition: steps({ a: llm({ prompt: 'use ${{ secrets.KEY }}' }) }),
    errors: [['steps.a.llm.prompt', 'misplaced_secret']],
  },
  {
    what: 'a secret in the output',
    definition: { ...steps({ a: llm() }), output: { k: '${{ secrets.KEY }}' } },
    errors: [['output.k', 'misplaced_secret']],
  },
  {
    what: 'a secret in an operation',
    definition: steps({ a: http({ headers: { a: '${{ "Bearer " + secrets.KEY }}' } }) }),
    errors: [['steps.a.with.headers.a', 'misplaced_secret']],
  },
  {
    what: 'a marker by hand',
    definition: steps({ a: http({ token: { $secret: 'KEY' } }) }),
    errors: [['steps.a.with.token.$secret', 'misplaced_secret']],
  },
  {
    what: 'expressions where none are read',
    definition: steps({ a: { approval: { assignee: '${{ input.who }}' } } }, { labels: { team: '${{ input.team }}' } }),
    errors: [
      ['labels.team', 'bad_expression'],
      ['steps.a.approval.assignee', 'bad_expression'],
    ],
  },
  {
    what: 'an unknown step in the output',
    definition: { ...steps({ a: llm() }), output: '${{ steps.b.output }}' },
    errors: [['output', 'unknown_step']],
  },
  {
    what: 'many things at once',
    definition: steps(
      { a: { llm: { prompt: '${{ steps.x.output }}', tempreature: 1 }, timeout: 'long' }, b: {} },
      { bugdet: {} },
    ),
    errors: [
      ['steps.a.llm.model', 'missing_field'],
      ['steps.a.llm.tempreature', 'unknown_field', 'temperature'],
      ['steps.a.timeout', 'invalid_duration'],
      ['bugdet', 'unknown_field'],
      ['steps.b', 'no_kind'],
      ['steps.a.llm.prompt', 'unknown_step'],
    ],
  },
  {
    what: 'too many steps',
    definition: steps(Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`s${i}`, { value: i }]))),
    errors: [['steps', 'too_many_steps']],
  },
]

const plain = (errors: readonly { path: string; code: string; suggestion?: string | undefined }[]) =>
  errors.map(({ path, code, suggestion }) => (suggestion === undefined ? [path, code] : [path, code, suggestion]))
const sorted = (errors: readonly (readonly (string | undefined)[])[]) => errors.map((error) => error.join(' | ')).sort()

describe.each([
  ['shape', SHAPE],
  ['kinds', KINDS],
  ['not built yet', UNBUILT],
  ['expressions', EXPRESSIONS],
])('wrong definitions: %s', (_, cases) => {
  it.each(cases)('$what', ({ definition, errors }) => {
    const result = validate(definition)
    expect(result.ok).toBe(false)
    expect(result.ok ? [] : sorted(plain(result.errors))).toEqual(sorted(errors))
  })
})

describe('the corpus', () => {
  const all = [...SHAPE, ...KINDS, ...UNBUILT, ...EXPRESSIONS]
  it('shows every code', () => {
    const shown = new Set(all.flatMap((one) => one.errors.map(([, code]) => code)))
    expect(VALIDATION_CODES.filter((code) => !shown.has(code))).toEqual([])
  })

  it('says it in plain words, without the words of libraries', () => {
    for (const { definition } of all) {
      const result = validate(definition)
      for (const { message } of result.ok ? [] : result.errors) {
        expect(message).not.toMatch(/Invalid|undefined|zod|expected|regex|\[object/)
        expect(message.length).toBeLessThan(400)
      }
    }
  })
})
