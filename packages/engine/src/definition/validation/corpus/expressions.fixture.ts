// Wrong definitions: expressions, names, the graph.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { type Case, http, input, llm, steps } from './builders.fixture.ts'

export const EXPRESSIONS: Case[] = [
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
    definition: steps({ a: http({ body: { $secret: 'KEY' } }) }),
    errors: [['steps.a.with.body.$secret', 'misplaced_secret']],
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
      ['bugdet', 'unknown_field', 'budget'],
      ['steps.b', 'no_kind'],
      ['steps.a.llm.prompt', 'unknown_step'],
    ],
  },
  {
    what: 'too many steps',
    definition: steps(Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`s${i}`, { value: i }]))),
    errors: [['steps', 'too_many_steps']],
  },
  {
    what: 'a comparison of text with a number',
    definition: steps({ a: { value: '${{ input.topic > 3 }}' } }, { input }),
    errors: [['steps.a.value', 'type_mismatch']],
  },
  {
    what: 'a condition that is text',
    definition: steps({ a: llm(), b: { value: 1, if: '${{ steps.a.output }}' } }),
    errors: [['steps.b.if', 'type_mismatch']],
  },
  {
    what: 'an each over text',
    definition: steps({ a: { value: 1, each: '${{ input.topic }}' } }, { input }),
    errors: [['steps.a.each', 'type_mismatch']],
  },
  {
    what: 'a function that is given another kind, inside of a block',
    definition: steps({ a: llm(), b: { steps: { c: { value: '${{ sum(steps.a.output) }}' } } } }),
    errors: [['steps.b.steps.c.value', 'type_mismatch']],
  },
]
