// Wrong definitions: blocks, scopes, repeats.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { block, type Case, deep, llm, steps } from './builders.fixture.ts'

export const NESTING: Case[] = [
  {
    what: 'an empty block',
    definition: steps({ a: { steps: {} } }),
    errors: [['steps.a.steps', 'empty_steps']],
  },
  {
    what: 'a block as a list',
    definition: steps({ a: { steps: [] } }),
    errors: [['steps.a.steps', 'wrong_type']],
  },
  {
    what: 'a bad name in a block',
    definition: steps({ a: block({ 'B-1': { value: 1 } }) }),
    errors: [['steps.a.steps.B-1', 'invalid_value', 'b_1']],
  },
  {
    what: 'a mistyped field in a block',
    definition: steps({ a: block({ b: { value: 1, nees: [] } }) }),
    errors: [['steps.a.steps.b.nees', 'unknown_field', 'needs']],
  },
  {
    what: 'a mistyped kind in a block',
    definition: steps({ a: block({ b: { lm: {} } }) }),
    errors: [['steps.a.steps.b.lm', 'unknown_field', 'llm']],
  },
  {
    what: 'no kind in a block',
    definition: steps({ a: block({ b: { needs: [] } }) }),
    errors: [['steps.a.steps.b', 'no_kind']],
  },
  {
    what: 'several kinds in a block',
    definition: steps({ a: block({ b: { value: 1, tool: 'x' } }) }),
    errors: [['steps.a.steps.b', 'several_kinds']],
  },
  {
    what: 'nine nested blocks',
    definition: steps({ a: deep(9) }),
    errors: [
      ['steps.a.steps.s9.steps.s8.steps.s7.steps.s6.steps.s5.steps.s4.steps.s3.steps.s2.steps', 'invalid_value'],
    ],
  },
  {
    what: 'too many nested steps',
    definition: steps({
      a: block(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`s${i}`, { value: 1 }]))),
    }),
    errors: [['steps', 'too_many_steps']],
  },
  {
    what: 'a reserved name in a block',
    definition: steps({ a: block({ if: { value: 1 } }) }),
    errors: [['steps.a.steps.if', 'invalid_value', 'if_step']],
  },
  {
    what: 'an inner step mentioned from outside',
    definition: steps({ a: block({ b: { value: 1 } }), c: { value: '${{ steps.b.output }}' } }),
    errors: [['steps.c.value', 'unknown_step', 'steps.a.output']],
  },
  {
    what: 'an inner step that is needed from outside',
    definition: steps({ a: block({ b: { value: 1 } }), c: { value: 1, needs: ['b'] } }),
    errors: [['steps.c.needs.0', 'unknown_step', 'a']],
  },
  {
    what: 'an outer step in the needs of an inner',
    definition: steps({ o: { value: 1 }, a: block({ b: { value: 1, needs: ['o'] } }) }),
    errors: [['steps.a.steps.b.needs.0', 'unknown_step']],
  },
  {
    what: 'an unknown step mentioned in a block',
    definition: steps({ a: block({ first: { value: 1 }, b: { value: '${{ steps.frist.output }}' } }) }),
    errors: [['steps.a.steps.b.value', 'unknown_step', 'first']],
  },
  {
    what: 'an inner step of the name of an outer',
    definition: steps({ b: { value: 1 }, a: block({ b: { value: 1 } }) }),
    errors: [['steps.a.steps.b', 'shadowed_name']],
  },
  {
    what: 'an inner step of the name of its block',
    definition: steps({ a: block({ a: { value: 1 } }) }),
    errors: [['steps.a.steps.a', 'shadowed_name']],
  },
  {
    what: 'a step that waits for the block around it',
    definition: steps({ a: block({ b: { value: '${{ steps.a.output }}' } }) }),
    errors: [['steps.a.steps.b.value', 'needs_self']],
  },
  {
    what: 'a circle through a block',
    definition: steps({ a: block({ b: { value: '${{ steps.c.output }}' } }), c: { value: '${{ steps.a.output }}' } }),
    errors: [['steps.a', 'cycle']],
  },
  {
    what: 'a circle in a block',
    definition: steps({ a: block({ b: { value: '${{ steps.c.output }}' }, c: { value: '${{ steps.b.output }}' } }) }),
    errors: [['steps.a.steps.b', 'cycle']],
  },
  {
    what: 'a field that a block has not',
    definition: steps({ a: block({ b: { value: 1 } }), c: { value: '${{ steps.a.output.bb }}' } }),
    errors: [['steps.c.value', 'unknown_output_field', 'b']],
  },
  {
    what: 'a field that the output of a block has not',
    definition: steps({
      a: block({ b: { value: 1 } }, { output: { rows: 1 } }),
      c: { value: '${{ steps.a.output.row }}' },
    }),
    errors: [['steps.c.value', 'unknown_output_field', 'rows']],
  },
  {
    what: 'the output of a block that names what is not inside',
    definition: steps({ a: block({ b: { value: 1 } }, { output: '${{ steps.x.output }}' }) }),
    errors: [['steps.a.output', 'unknown_step']],
  },
  {
    what: 'an output beside a value',
    definition: steps({ a: { value: 1, output: 2 } }),
    errors: [['steps.a.output', 'misplaced_modifier']],
  },
  {
    what: 'an output beside an llm',
    definition: steps({ a: { ...llm(), output: { type: 'string' } } }),
    errors: [['steps.a.output', 'misplaced_modifier', 'llm.output']],
  },
  {
    what: 'a retry on a block',
    definition: steps({
      a: block({ b: { value: 1 } }, { retry: { attempts: 2 }, timeout: '1s', gate: true, cache: { ttl: '1h' } }),
    }),
    errors: [
      ['steps.a.retry', 'misplaced_modifier'],
      ['steps.a.timeout', 'misplaced_modifier', 'deadline'],
      ['steps.a.gate', 'misplaced_modifier'],
      ['steps.a.cache', 'misplaced_modifier'],
    ],
  },
  {
    what: 'nested items of one name',
    definition: steps({ a: block({ b: { each: '${{ input }}', value: 1 } }, { each: '${{ input }}' }) }),
    errors: [['steps.a.steps.b.each', 'shadowed_name']],
  },
  {
    what: 'an item under its right name only',
    definition: steps({ a: block({ b: { value: '${{ item }}' } }, { each: { in: '${{ input }}', as: 'doc' } }) }),
    errors: [['steps.a.steps.b.value', 'unknown_name', 'doc']],
  },
  {
    what: 'an index outside of an each',
    definition: steps({ a: block({ b: { value: '${{ index }}' } }) }),
    errors: [['steps.a.steps.b.value', 'item_outside_each']],
  },
  {
    what: 'previous outside of a repeat',
    definition: steps({ a: { value: '${{ previous }}' } }),
    errors: [['steps.a.value', 'unknown_name']],
  },
  {
    what: 'previous in the if of a repeat',
    definition: steps({ a: { value: 1, if: '${{ previous == null }}', repeat: { max: 2 } } }),
    errors: [['steps.a.if', 'unknown_name']],
  },
  {
    what: 'output outside of until',
    definition: steps({ a: { value: '${{ output }}' } }),
    errors: [['steps.a.value', 'unknown_name']],
  },
  {
    what: 'an until with text around',
    definition: steps({ a: { value: 1, repeat: { until: 'yes ${{ output }}', max: 2 } } }),
    errors: [['steps.a.repeat.until', 'invalid_value']],
  },
  {
    what: 'an until without an expression',
    definition: steps({ a: { value: 1, repeat: { until: 'output > 1', max: 2 } } }),
    errors: [['steps.a.repeat.until', 'invalid_value', '${{ output > 1 }}']],
  },
  {
    what: 'a repeat without max',
    definition: steps({ a: { value: 1, repeat: { until: '${{ output }}' } } }),
    errors: [['steps.a.repeat.max', 'missing_field']],
  },
  {
    what: 'a repeat too often',
    definition: steps({ a: { value: 1, repeat: { max: 1001 } } }),
    errors: [['steps.a.repeat.max', 'invalid_value']],
  },
  {
    what: 'a mistyped field of repeat',
    definition: steps({ a: { value: 1, repeat: { max: 2, untill: '${{ output }}' } } }),
    errors: [['steps.a.repeat.untill', 'unknown_field', 'until']],
  },
  {
    what: 'a bad on_max',
    definition: steps({ a: { value: 1, repeat: { max: 2, on_max: 'stop' } } }),
    errors: [['steps.a.repeat.on_max', 'invalid_value']],
  },
  {
    what: 'a step two blocks deep, mentioned from outside',
    definition: steps({
      a: block({ b: block({ c: { value: 1 } }) }),
      d: { value: '${{ steps.c.output }}', needs: ['c'] },
    }),
    errors: [
      ['steps.d.value', 'unknown_step', 'steps.a.output'],
      ['steps.d.needs.0', 'unknown_step', 'a'],
    ],
  },
  {
    what: 'a step of the block beside',
    definition: steps({ a: block({ b: { value: 1 } }), c: block({ d: { if: '${{ steps.b.output }}', value: 1 } }) }),
    errors: [['steps.c.steps.d.if', 'unknown_step', 'steps.a.output']],
  },
  {
    what: 'an inner step in the until of its block',
    definition: steps({ a: block({ b: { value: 1 } }, { repeat: { until: '${{ steps.b.output == 1 }}', max: 2 } }) }),
    errors: [['steps.a.repeat.until', 'unknown_step', 'output.b']],
  },
  {
    what: 'its own output in until',
    definition: steps({ a: { value: 1, repeat: { until: '${{ steps.a.output == 1 }}', max: 2 } } }),
    errors: [['steps.a.repeat.until', 'needs_self', 'output']],
  },
  {
    what: 'an inner step that needs the block around it',
    definition: steps({ a: block({ b: block({ c: { value: 1, needs: ['a'] } }) }) }),
    errors: [['steps.a.steps.b.steps.c.needs.0', 'needs_self']],
  },
  {
    what: 'a circle through two blocks, by a compensation and a limit',
    definition: steps({
      a: block({ b: block({ c: { tool: 'x', compensate: { tool: 'y', with: { z: '${{ steps.d.output }}' } } } }) }),
      d: block({ e: { ...llm(), rate: { key: '${{ steps.a.output }}', limit: 1, per: '1s' } } }),
    }),
    errors: [['steps.a', 'cycle']],
  },
  {
    what: 'an inner step of the name of one two blocks further out',
    definition: steps({ a: block({ b: block({ c: { value: 1 } }) }), c: { value: 1 } }),
    errors: [['steps.a.steps.b.steps.c', 'shadowed_name']],
  },
  {
    what: 'an item that is a word of the language, and one that is taken',
    definition: steps({
      a: { value: 1, each: { in: [1], as: 'in' } },
      b: { value: 1, each: { in: [1], as: 'previous' } },
    }),
    errors: [
      ['steps.a.each.as', 'invalid_value', 'in_item'],
      ['steps.b.each.as', 'shadowed_name'],
    ],
  },
  {
    what: 'an item of a block, outside of it',
    definition: steps({
      a: block({ b: { value: '${{ doc }}' } }, { each: { in: [1], as: 'doc' } }),
      c: { value: '${{ doc }}' },
    }),
    errors: [['steps.c.value', 'unknown_name']],
  },
]
