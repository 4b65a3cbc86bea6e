// A right definition that uses the whole language, and places where a check that is too strict would hurt.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { Json } from '@stepfleet/contracts'
import { block, http, llm, steps, tool } from './builders.fixture.ts'

const listed = {
  type: 'object',
  properties: { docs: { type: 'array', items: { type: 'object' } }, fast: { type: 'boolean' } },
}

/** Every kind and every modifier, nested. */
export const wholeLanguage = (): Json =>
  JSON.parse(
    JSON.stringify({
      name: 'whole',
      input: listed,
      deadline: '2h',
      concurrency: { key: '${{ input.fast }}-${{ run.namespace }}', limit: 3 },
      steps: {
        fast: { if: '${{ input.fast }}', ...llm({ thinking: 'high', cache: true }) },
        slow: {
          if: '${{ !input.fast }}',
          agent: {
            model: 'anthropic/claude-haiku-4-5',
            prompt: 'x',
            thinking: { budget: 4_000 },
            cache: false,
            tools: [
              { ...tool, name: 'look', tool: 'http', with: { url: '${{ args.url }}' }, effect: 'read' },
              { ...tool, name: 'child', run: { workflow: 'other@2', input: { q: '${{ args.q }}' } } },
              {
                ...tool,
                name: 'shop',
                tool: 'callback',
                with: { url: 'https://x/${{ args.q }}', body: '${{ args }}' },
              },
              { ...tool, name: 'person', approval: { show: '${{ args }}' } },
            ],
          },
          concurrency: { key: 'slow', limit: 2 },
          deadline: '1h',
        },
        chapters: block(
          {
            plan: llm({
              output: { type: 'object', properties: { parts: { type: 'array', items: { type: 'string' } } } },
            }),
            write: {
              ...llm({ prompt: '${{ doc }} ${{ part }} ${{ index }} ${{ previous }} ${{ steps.fast.output }}' }),
              each: { in: '${{ steps.plan.output.parts }}', as: 'part', join: 'settled' },
              repeat: { until: '${{ output.contains(part) && previous != null }}', max: 3, on_max: 'fail' },
              cache: { key: '${{ doc }}-${{ part }}', ttl: '1d' },
              priority: 1,
            },
            send: {
              ...http({ url: 'https://x.example/${{ index }}', method: 'POST', headers: { key: '${{ secrets.K }}' } }),
              needs: ['write'],
              gate: true,
              compensate: {
                tool: 'unsend',
                with: { of: '${{ output.body }}', key: '${{ secrets.K }}' },
                effect: 'idempotent',
              },
              rate: { key: 'mail-${{ doc }}', limit: 10, per: '1m' },
            },
          },
          {
            each: { in: '${{ input.docs }}', as: 'doc', join: { atLeast: 1 } },
            needs_any: ['fast', 'slow'],
            output: { written: '${{ steps.write.output }}', by: '${{ steps.slow.status }}' },
            on_failure: 'continue',
            compensate: { run: { workflow: 'undo', input: '${{ output.written }}' } },
          },
        ),
        child: { run: { workflow: 'other', detach: true }, compensate: { run: 'stop' }, needs: ['chapters'] },
        nap: { wait: '1s' },
        go: {
          signal: { name: 'go-${{ steps.child.output.run }}', timeout: '1h' },
          on_failure: { use: { none: true } },
        },
        ask: { approval: { show: '${{ steps.chapters.output[0].output.written }}' } },
      },
      output: { went: '${{ steps.go.output.anything }}', asked: '${{ steps.ask.output.approved }}' },
    }),
  )

export const RIGHT: [what: string, definition: unknown][] = [
  ['two blocks with steps of one name', steps({ a: block({ x: { value: 1 } }), b: block({ x: { value: 2 } }) })],
  [
    'eight nested blocks',
    steps({
      a: block({
        b: block({
          c: block({ d: block({ e: block({ f: block({ g: block({ h: block({ i: { value: 1 } }) }) }) }) }) }),
        }),
      }),
    }),
  ],
  [
    'items of one name, beside each other',
    steps({ a: { value: '${{ item }}', each: { in: [1] } }, b: { value: '${{ item }}', each: { in: [2] } } }),
  ],
  [
    'the item of an outer each in an inner if',
    steps({ a: block({ b: { if: '${{ item == 1 }}', value: 1 } }, { each: { in: [1] } }) }),
  ],
  [
    'the iteration before of a block, deep inside',
    steps({ a: block({ b: block({ c: { value: '${{ previous.b.c }}' } }) }, { repeat: { max: 2 } }) }),
  ],
  [
    'its own output where it has ended',
    steps({
      a: {
        tool: 'x',
        repeat: { until: '${{ output.done }}', max: 2 },
        compensate: { tool: 'y', with: { id: '${{ output.id }}' } },
      },
    }),
  ],
  [
    'a field of what `use` gives instead',
    steps({ a: { ...llm(), on_failure: { use: { text: '' } } }, b: { value: '${{ steps.a.output.text }}' } }),
  ],
  [
    'a mention of a step outside in the output of a block',
    steps({ o: { value: 1 }, a: block({ b: { value: 1 } }, { output: '${{ steps.o.output + steps.b.output }}' }) }),
  ],
  ['a field of the output of a child', steps({ a: { run: 'x' }, b: { value: '${{ steps.a.output.any.thing }}' } })],
  ['what is open in the answer of http', steps({ a: http(), b: { value: '${{ steps.a.output.body.any.thing }}' } })],
  [
    'an index into a list of items',
    steps({
      a: { value: '${{ steps.b.output[0].x }}' },
      b: { value: '${{ item }}', each: { in: [{ x: 1 }, { y: 2 }] } },
    }),
  ],
  [
    'values that give on values',
    steps({
      a: { value: '${{ input.x }}' },
      b: { value: { c: '${{ steps.a.output }}' } },
      d: { value: '${{ steps.b.output.c.deep }}' },
    }),
  ],
]
