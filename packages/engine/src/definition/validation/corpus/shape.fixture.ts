// Wrong definitions: wrong shapes: types, spellings, bounds.
import { type Case, input, llm, MODEL, steps } from './builders.fixture.ts'

export const SHAPE: Case[] = [
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
