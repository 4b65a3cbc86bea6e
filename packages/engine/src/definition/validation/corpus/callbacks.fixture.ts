// Wrong definitions: callbacks, and built-in tools where a module tool is meant.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { agent, type Case, steps, tool } from './builders.fixture.ts'

const callback = (with_?: Record<string, unknown>) => ({ tool: 'callback', ...(with_ ? { with: with_ } : {}) })
const url = 'https://x.example'

export const CALLBACKS: Case[] = [
  {
    what: 'a callback that tells nobody what it says',
    definition: steps({ a: callback({ body: { n: 1 }, method: 'PUT' }) }),
    errors: [
      ['steps.a.with.body', 'misplaced_modifier'],
      ['steps.a.with.method', 'misplaced_modifier'],
    ],
  },
  {
    what: 'fields that a callback does not take',
    definition: steps({ a: callback({ url, boddy: {}, expect: [202] }), b: callback({ urll: url }) }),
    errors: [
      ['steps.a.with.boddy', 'unknown_field', 'body'],
      ['steps.a.with.expect', 'unknown_field'],
      ['steps.b.with.urll', 'unknown_field', 'url'],
    ],
  },
  {
    what: 'a callback told of where no token can travel',
    definition: steps({
      a: callback({ url, method: 'GET' }),
      b: callback({ url, body: 'text ${{ input }}' }),
      c: callback({ url, body: [1] }),
      d: callback({ url, body: { callback: 1 } }),
    }),
    errors: [
      ['steps.a.with.method', 'invalid_value'],
      ['steps.b.with.body', 'invalid_value'],
      ['steps.c.with.body', 'invalid_value'],
      ['steps.d.with.body.callback', 'invalid_value', 'data'],
    ],
  },
  {
    what: 'a wrong callback that undoes, that stands in, and that a model may use',
    definition: steps({
      a: { ...callback(), compensate: callback({ body: {} }), fallback: callback({ body: {} }) },
      b: agent({ ...tool, ...callback({ body: {} }) }),
    }),
    errors: [
      ['steps.a.compensate.with.body', 'misplaced_modifier'],
      ['steps.a.fallback.with.body', 'misplaced_modifier'],
      ['steps.b.agent.tools.0.with.body', 'misplaced_modifier'],
    ],
  },
  {
    what: 'a built-in tool that a model is told nothing of',
    definition: steps({ a: agent('callback', 'http') }),
    errors: [
      ['steps.a.agent.tools.0', 'invalid_value'],
      ['steps.a.agent.tools.1', 'invalid_value'],
    ],
  },
]
