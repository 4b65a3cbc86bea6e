// Wrong definitions: compensations.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { block, type Case, type Expected, llm, steps } from './builders.fixture.ts'

export const UNDO: Case[] = [
  {
    what: 'a compensation without a kind',
    definition: steps({ a: { tool: 'x', compensate: { with: {} } } }),
    errors: [['steps.a.compensate', 'no_kind']],
  },
  {
    what: 'a compensation with two kinds',
    definition: steps({ a: { tool: 'x', compensate: { tool: 'y', run: 'z' } } }),
    errors: [['steps.a.compensate', 'several_kinds']],
  },
  {
    what: 'a compensation that is an approval',
    definition: steps({ a: { tool: 'x', compensate: { approval: {} } } }),
    errors: [
      ['steps.a.compensate.approval', 'unknown_field'],
      ['steps.a.compensate', 'no_kind'],
    ],
  },
  {
    what: 'a compensation on a wait',
    definition: steps({ a: { wait: '1s', compensate: { tool: 'y' } } }),
    errors: [['steps.a.compensate', 'misplaced_modifier']],
  },
  {
    what: 'a retry of a child that compensates',
    definition: steps({ a: { tool: 'x', compensate: { run: 'y', retry: {} } } }),
    errors: [['steps.a.compensate.retry', 'misplaced_modifier']],
  },
  {
    what: 'an http compensation without a url',
    definition: steps({ a: { tool: 'x', compensate: { tool: 'http' } } }),
    errors: [['steps.a.compensate.with.url', 'missing_field']],
  },
  {
    what: 'a mention of what is not there in a compensation',
    definition: steps({ a: { tool: 'x', compensate: { tool: 'y', with: { id: '${{ steps.b.output }}' } } } }),
    errors: [['steps.a.compensate.with.id', 'unknown_step']],
  },
  {
    what: 'a secret in a compensating prompt',
    definition: steps({ a: { tool: 'x', compensate: llm({ prompt: '${{ secrets.K }}' }) } }),
    errors: [['steps.a.compensate.llm.prompt', 'misplaced_secret']],
  },
  {
    what: 'compensations of what does nothing',
    definition: steps({
      a: { approval: {}, compensate: { tool: 'y' } },
      b: { signal: 'go', compensate: { tool: 'y' } },
      c: { value: 1, compensate: { tool: 'y' } },
    }),
    errors: ['a', 'b', 'c'].map((step): Expected => [`steps.${step}.compensate`, 'misplaced_modifier']),
  },
  {
    what: 'a mistyped kind of a compensation',
    definition: steps({ a: { tool: 'x', compensate: { tol: 'y' } } }),
    errors: [['steps.a.compensate.tol', 'unknown_field', 'tool']],
  },
  {
    what: 'with beside a compensating child',
    definition: steps({ a: { tool: 'x', compensate: { run: 'y', with: {} } } }),
    errors: [['steps.a.compensate.with', 'misplaced_modifier']],
  },
  {
    what: 'a compensating call without a prompt, of a mistyped provider',
    definition: steps({ a: { tool: 'x', compensate: { llm: { model: 'opnai/gpt-5' } } } }),
    errors: [
      ['steps.a.compensate.llm.model', 'unknown_provider', 'openai/gpt-5'],
      ['steps.a.compensate.llm.prompt', 'missing_field'],
    ],
  },
  {
    what: 'a compensation that mentions the output of its step from outside',
    definition: steps({ a: { tool: 'x', compensate: { tool: 'y', with: { id: '${{ steps.a.output.id }}' } } } }),
    errors: [['steps.a.compensate.with.id', 'needs_self', 'output']],
  },
  {
    what: 'a mistyped field of what is undone',
    definition: steps({
      a: {
        ...llm({ output: { properties: { id: {} } } }),
        compensate: { tool: 'y', with: { id: '${{ output.ids }}' } },
      },
    }),
    errors: [['steps.a.compensate.with.id', 'unknown_output_field', 'id']],
  },
  {
    what: 'a mistyped field of a compensation in a block',
    definition: steps({ a: block({ b: { tool: 'x', compensate: { tool: 'y', timeuot: '1s' } } }) }),
    errors: [['steps.a.steps.b.compensate.timeuot', 'unknown_field', 'timeout']],
  },
  {
    what: 'an expression in the texts of a compensation that are taken as they are',
    definition: steps({ a: { tool: 'x', compensate: llm({ stop: ['${{ input }}'] }) } }),
    errors: [['steps.a.compensate.llm.stop.0', 'bad_expression']],
  },
]
