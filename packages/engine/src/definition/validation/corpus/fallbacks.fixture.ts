// Wrong definitions: fallbacks, confidence and budgets.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { type Case, http, llm, MODEL, steps } from './builders.fixture.ts'

const agent = (more: Record<string, unknown>) => ({ agent: { model: MODEL, prompt: 'x', ...more } })
const UNPRICED = 'anthropic/claude-zero'

export const FALLBACKS: Case[] = [
  {
    what: 'a fallback without a kind, and one with two',
    definition: steps({ a: { ...llm(), fallback: {} }, b: { ...llm(), fallback: { value: 1, run: 'x' } } }),
    errors: [
      ['steps.a.fallback', 'no_kind'],
      ['steps.b.fallback', 'several_kinds'],
    ],
  },
  {
    what: 'a fallback where nothing can fail for good, or somebody is asked already',
    definition: steps({ a: { wait: '1s', fallback: { value: 1 } }, b: { approval: {}, fallback: { value: 1 } } }),
    errors: [
      ['steps.a.fallback', 'misplaced_modifier'],
      ['steps.b.fallback', 'misplaced_modifier'],
    ],
  },
  {
    what: 'modifiers that a fallback does not take',
    definition: steps({
      a: { ...llm(), fallback: { value: 1, retry: { attempts: 2 }, each: [1] } },
      b: { ...llm(), fallback: { llm: { model: MODEL, prompt: 'x' }, gate: true, with: {} } },
    }),
    errors: [
      ['steps.a.fallback.retry', 'misplaced_modifier'],
      ['steps.a.fallback.each', 'unknown_field'],
      ['steps.b.fallback.gate', 'misplaced_modifier'],
      ['steps.b.fallback.with', 'misplaced_modifier'],
    ],
  },
  {
    what: 'what is wrong inside of a fallback',
    definition: steps(
      {
        a: { ...llm(), fallback: { tool: 'http', with: { method: 'GOT' } } },
        b: { ...llm(), fallback: { agent: { model: MODEL, prompt: 'x', temperature: 1, tools: ['t', 't'] } } },
        c: { ...llm(), fallback: { ...http({ method: 'POST' }) } },
      },
      { irreversible: 'gate' },
    ),
    errors: [
      ['steps.a.fallback.with.url', 'missing_field'],
      ['steps.a.fallback.with.method', 'invalid_value', 'GET'],
      ['steps.a.fallback.gate', 'gate_required', 'gate: true'],
      ['steps.b.fallback.agent.temperature', 'setting_not_supported'],
      ['steps.b.fallback.agent.tools.1', 'duplicate_tool'],
      ['steps.b.fallback.agent.tools.0.gate', 'gate_required', 'effect: read'],
      ['steps.b.fallback.agent.tools.1.gate', 'gate_required', 'effect: read'],
      ['steps.c.fallback.gate', 'gate_required', 'gate: true'],
    ],
  },
  {
    what: 'names that a fallback does not know, and `error` where there is none',
    definition: steps({
      a: { ...llm(), fallback: { value: '${{ output }} ${{ error.cod }} ${{ steps.a.output }}' } },
      b: { value: '${{ error.code }}' },
    }),
    errors: [
      ['steps.a.fallback.value', 'unknown_name'],
      ['steps.a.fallback.value', 'unknown_output_field', 'code'],
      ['steps.a.fallback.value', 'needs_self'],
      ['steps.b.value', 'unknown_name'],
    ],
  },
  {
    what: 'a circle through a fallback',
    definition: steps({ a: { ...llm(), fallback: { value: '${{ steps.b.output }}' } }, b: { ...llm(), needs: ['a'] } }),
    errors: [['steps.a', 'cycle']],
  },
  {
    what: 'models that were tried before, or that nobody serves',
    definition: steps({ a: llm({ fallback: [MODEL, 'gemni/x'] }), b: llm({ fallback: [] }) }),
    errors: [
      ['steps.a.llm.fallback.0', 'invalid_value'],
      ['steps.a.llm.fallback.1', 'unknown_provider', 'gemini/x'],
      ['steps.b.llm.fallback', 'invalid_value'],
    ],
  },
  {
    what: 'a confidence that is no number, no expression, or on what gives no answer',
    definition: steps({
      a: { ...llm(), confidence: { min: 2, from: '${{ output.c }}' } },
      b: { ...llm(), confidence: { min: 0.5, from: 'output.c' } },
      c: { value: 1, confidence: { min: 0.5, from: '${{ output.c }}' } },
      d: { ...llm(), confidence: { min: 0.5 } },
      e: { steps: { f: llm() }, confidence: { min: 0.5, from: '${{ output.f }}' } },
    }),
    errors: [
      ['steps.a.confidence.min', 'invalid_value'],
      ['steps.b.confidence.from', 'invalid_value', '${{ output.c }}'],
      ['steps.c.confidence', 'misplaced_modifier'],
      ['steps.d.confidence.from', 'missing_field'],
      ['steps.e.confidence', 'misplaced_modifier', 'steps.<step>.confidence'],
    ],
  },
  {
    what: 'a confidence from a field that the answer does not have',
    definition: steps({
      a: {
        ...llm({ output: { type: 'object', properties: { text: {} } } }),
        confidence: { min: 0.5, from: '${{ output.sure }}' },
      },
    }),
    errors: [['steps.a.confidence.from', 'unknown_output_field']],
  },
  {
    what: 'a budget in dollars for models without a price',
    definition: steps(
      { a: llm({ model: UNPRICED }), b: { tool: 'x', fallback: llm({ fallback: [UNPRICED] }) } },
      { budget: { per_day: { usd: 1 } } },
    ),
    errors: [
      ['steps.a.llm.model', 'unpriced_model'],
      ['steps.b.fallback.llm.fallback.0', 'unpriced_model'],
    ],
  },
  {
    what: 'budgets of agents',
    definition: steps({
      a: agent({ model: UNPRICED, budget: { usd: 1 } }),
      b: agent({ budget: {} }),
      c: agent({ budget: { per_day: { usd: 1 } } }),
      d: agent({ model: UNPRICED, budget: { tokens: 1 } }),
      e: { tool: 'x', fallback: agent({ budget: { dollars: 1 } }) },
    }),
    errors: [
      ['steps.a.agent.model', 'unpriced_model'],
      ['steps.b.agent.budget', 'missing_field'],
      ['steps.c.agent.budget.per_day', 'unknown_field'],
      ['steps.e.fallback.agent.budget.dollars', 'unknown_field'],
    ],
  },
  {
    what: 'a budget of nothing',
    definition: steps({ a: llm() }, { budget: { usd: 0, tokens: 1.5, dollars: 3 } }),
    errors: [
      ['budget.usd', 'invalid_value'],
      ['budget.tokens', 'wrong_type'],
      ['budget.dollars', 'unknown_field'],
    ],
  },
  {
    what: 'retries of codes that there are not',
    definition: steps({ a: { ...llm(), retry: { only: ['rate_limitd'] } }, b: { ...llm(), retry: { only: [] } } }),
    errors: [
      ['steps.a.retry.only.0', 'invalid_value', 'rate_limited'],
      ['steps.b.retry.only', 'invalid_value'],
    ],
  },
]
