// Wrong definitions: fields and kinds of what is known of items, iterations, blocks and joins.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { block, type Case, http, llm, steps } from './builders.fixture.ts'

const docs = {
  type: 'object',
  properties: {
    docs: {
      type: 'array',
      items: {
        type: 'object',
        properties: { title: { type: 'string' }, parts: { type: 'array', items: { type: 'number' } } },
      },
    },
  },
}
const scored = { output: { type: 'object', properties: { score: { type: 'number' }, text: { type: 'string' } } } }

export const KNOWN: Case[] = [
  {
    what: 'a mistyped field of an item',
    definition: steps({ a: { value: '${{ item.titel }}', each: '${{ input.docs }}' } }, { input: docs }),
    errors: [['steps.a.value', 'unknown_input_field', 'title']],
  },
  {
    what: 'a mistyped field of an item, blocks below its each',
    definition: steps(
      { a: block({ b: block({ c: { value: '${{ doc.part }}' } }) }, { each: { in: '${{ input.docs }}', as: 'doc' } }) },
      { input: docs },
    ),
    errors: [['steps.a.steps.b.steps.c.value', 'unknown_input_field', 'parts']],
  },
  {
    what: 'an item of an item, of another kind',
    definition: steps(
      {
        a: block(
          { b: { value: '${{ lower(part) }}', each: { in: '${{ doc.parts }}', as: 'part' } } },
          { each: { in: '${{ input.docs }}', as: 'doc' } },
        ),
      },
      { input: docs },
    ),
    errors: [['steps.a.steps.b.value', 'type_mismatch']],
  },
  {
    what: 'an each over a field of an item that is text',
    definition: steps(
      {
        a: block(
          { b: { value: 1, each: { in: '${{ doc.title }}', as: 'part' } } },
          { each: { in: '${{ input.docs }}', as: 'doc' } },
        ),
      },
      { input: docs },
    ),
    errors: [['steps.a.steps.b.each.in', 'type_mismatch']],
  },
  {
    what: 'a mistyped field of the iteration before',
    definition: steps({ a: { ...llm({ ...scored, prompt: '${{ previous.txet }}' }), repeat: { max: 2 } } }),
    errors: [['steps.a.llm.prompt', 'unknown_output_field', 'text']],
  },
  {
    what: 'an until of the wrong kind',
    definition: steps({ a: { ...llm(scored), repeat: { max: 2, until: '${{ output.score }}' } } }),
    errors: [['steps.a.repeat.until', 'type_mismatch']],
  },
  {
    what: 'a mistyped field of a block in its until',
    definition: steps({
      a: block({ draft: llm(scored) }, { repeat: { max: 2, until: '${{ output.draft.scor > 3 }}' } }),
    }),
    errors: [['steps.a.repeat.until', 'unknown_output_field', 'score']],
  },
  {
    what: 'the block before, two steps deeper',
    definition: steps({
      a: block({ b: block({ c: { value: '${{ previous.bb }}' } }) }, { repeat: { max: 2 } }),
    }),
    errors: [['steps.a.steps.b.steps.c.value', 'unknown_output_field', 'b']],
  },
  {
    what: 'a mistyped field of a step, behind its block',
    definition: steps({ a: block({ b: { approval: {} } }), c: { value: '${{ steps.a.output.b.aproved }}' } }),
    errors: [['steps.c.value', 'unknown_output_field', 'approved']],
  },
  {
    what: 'a mistyped field behind the output of a block',
    definition: steps({
      a: block({ b: llm(scored) }, { output: { best: '${{ steps.b.output }}' } }),
      c: { value: '${{ steps.a.output.best.scores }}' },
    }),
    errors: [['steps.c.value', 'unknown_output_field', 'score']],
  },
  {
    what: 'a mistyped field of a value',
    definition: steps({ a: { value: { rows: [1] } }, b: { value: '${{ steps.a.output.row }}' } }),
    errors: [['steps.b.value', 'unknown_output_field', 'rows']],
  },
  {
    what: 'a mistyped field of the first item',
    definition: steps({
      a: { ...llm(scored), each: { in: [1, 2], join: 'any' } },
      b: { value: '${{ steps.a.output.output.txt }}' },
    }),
    errors: [['steps.b.value', 'unknown_output_field', 'text']],
  },
  {
    what: 'a mistyped field of an http answer',
    definition: steps({ a: http(), b: { value: '${{ steps.a.output.stats }}' } }),
    errors: [['steps.b.value', 'unknown_output_field', 'status']],
  },
  {
    what: 'a member of the text that a detached child is',
    definition: steps({ a: { run: { workflow: 'x', detach: true } }, b: { value: '${{ steps.a.output.run.id }}' } }),
    errors: [['steps.b.value', 'unknown_output_field']],
  },
  {
    what: 'a member of a list in the input',
    definition: steps({ a: { value: '${{ input.docs.title }}' } }, { input: docs }),
    errors: [['steps.a.value', 'unknown_input_field']],
  },
  {
    what: 'a mistyped field of an error, and of a cost',
    definition: steps({
      a: { ...llm(), on_failure: 'continue' },
      b: { value: '${{ steps.a.error.mesage }}' },
      c: { value: '${{ steps.a.cost.eur }}' },
    }),
    errors: [
      ['steps.b.value', 'unknown_output_field', 'message'],
      ['steps.c.value', 'unknown_output_field'],
    ],
  },
  {
    what: 'the time of the run taken for text',
    definition: steps({ a: { value: '${{ lower(run.now) }}' } }),
    errors: [['steps.a.value', 'type_mismatch']],
  },
]
