// Wrong definitions: children, joins, limits, caches.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { agent, block, type Case, type Expected, http, llm, steps } from './builders.fixture.ts'

export const MODIFIERS: Case[] = [
  {
    what: 'a limit inside of itself',
    definition: steps(
      {
        b: { concurrency: { key: 'gpu', limit: 2 }, steps: { c: { ...llm(), concurrency: { key: 'gpu', limit: 1 } } } },
        d: { ...llm(), concurrency: { key: 'all', limit: 1 } },
        e: { ...llm(), concurrency: { key: 'gpu', limit: 1 } },
      },
      { concurrency: { key: 'all', limit: 1 } },
    ),
    errors: [
      ['steps.b.steps.c.concurrency.key', 'invalid_value'],
      ['steps.d.concurrency.key', 'invalid_value'],
    ],
  },
  {
    what: 'a bad workflow name',
    definition: steps({ a: { run: 'Other' }, b: { run: { workflow: 'x@0' } } }),
    errors: [
      ['steps.a.run', 'invalid_value'],
      ['steps.b.run.workflow', 'invalid_value'],
    ],
  },
  {
    what: 'a run without a workflow',
    definition: steps({ a: { run: { input: 1 } } }),
    errors: [['steps.a.run.workflow', 'missing_field']],
  },
  {
    what: 'a mistyped field of run',
    definition: steps({ a: { run: { workflow: 'x', inptu: 1 } } }),
    errors: [['steps.a.run.inptu', 'unknown_field', 'input']],
  },
  {
    what: 'a timeout on a child',
    definition: steps({ a: { run: 'x', timeout: '1s' } }),
    errors: [['steps.a.timeout', 'misplaced_modifier', 'deadline']],
  },
  {
    what: 'a field that a detached child has not',
    definition: steps({ a: { run: { workflow: 'x', detach: true } }, b: { value: '${{ steps.a.output.id }}' } }),
    errors: [['steps.b.value', 'unknown_output_field']],
  },
  {
    what: 'needs_any of nothing',
    definition: steps({ a: { value: 1, needs_any: [] } }),
    errors: [['steps.a.needs_any', 'invalid_value']],
  },
  {
    what: 'needs_any of an unknown step',
    definition: steps({ first: { value: 1 }, a: { value: 1, needs_any: ['frist'] } }),
    errors: [['steps.a.needs_any.0', 'unknown_step', 'first']],
  },
  {
    what: 'needs_any of itself',
    definition: steps({ a: { value: 1, needs_any: ['a'] } }),
    errors: [['steps.a.needs_any.0', 'needs_self']],
  },
  {
    what: 'an unknown join',
    definition: steps({ a: { value: 1, each: { in: [1], join: 'some' } } }),
    errors: [['steps.a.each.join', 'invalid_value']],
  },
  {
    what: 'atLeast of none',
    definition: steps({ a: { value: 1, each: { in: [1], join: { atLeast: 0 } } } }),
    errors: [['steps.a.each.join.atLeast', 'invalid_value']],
  },
  {
    what: 'more items than there are',
    definition: steps({ a: { value: 1, each: { in: [1], join: { atLeast: 2 } } } }),
    errors: [['steps.a.each.join', 'invalid_value', '1']],
  },
  {
    what: 'a mistyped atLeast',
    definition: steps({ a: { value: 1, each: { in: [1], join: { atleast: 1 } } } }),
    errors: [
      ['steps.a.each.join.atLeast', 'missing_field'],
      ['steps.a.each.join.atleast', 'unknown_field', 'atLeast'],
    ],
  },
  {
    what: 'a member of what any gives',
    definition: steps({ a: { value: 1, each: { in: [1], join: 'any' } }, b: { value: '${{ steps.a.output.item }}' } }),
    errors: [['steps.b.value', 'unknown_output_field']],
  },
  {
    what: 'a priority out of range',
    definition: steps({ a: { ...llm(), priority: 0 } }),
    errors: [['steps.a.priority', 'invalid_value']],
  },
  {
    what: 'a priority on a value',
    definition: steps({ a: { value: 1, priority: 1 } }),
    errors: [['steps.a.priority', 'misplaced_modifier']],
  },
  {
    what: 'a limit without a key',
    definition: steps({ a: { ...llm(), concurrency: { limit: 1 } } }),
    errors: [['steps.a.concurrency.key', 'missing_field']],
  },
  {
    what: 'a limit of none',
    definition: steps({ a: { ...llm(), concurrency: { key: 'k', limit: 0 } } }),
    errors: [['steps.a.concurrency.limit', 'invalid_value']],
  },
  {
    what: 'a rate without its time',
    definition: steps({ a: { ...llm(), rate: { key: 'k', limit: 1 } } }),
    errors: [['steps.a.rate.per', 'missing_field']],
  },
  {
    what: 'a rate in words',
    definition: steps({ a: { ...llm(), rate: { key: 'k', limit: 1, per: '1 minute' } } }),
    errors: [['steps.a.rate.per', 'invalid_duration', '1m']],
  },
  {
    what: 'a limit of runs by a step',
    definition: steps({ a: llm() }, { concurrency: { key: '${{ steps.a.output }}', limit: 1 } }),
    errors: [['concurrency.key', 'unknown_name']],
  },
  {
    what: 'a cache of what is done once',
    definition: steps({ a: { ...http({}), with: { url: 'x', method: 'POST' }, cache: { ttl: '1h' } } }),
    errors: [['steps.a.cache', 'misplaced_modifier']],
  },
  {
    what: 'a cache without a ttl',
    definition: steps({ a: { ...llm(), cache: { key: 'k' } } }),
    errors: [['steps.a.cache.ttl', 'missing_field']],
  },
  {
    what: 'a cache on an agent',
    definition: steps({ a: { ...agent(), cache: { ttl: '1h' } } }),
    errors: [['steps.a.cache', 'misplaced_modifier']],
  },
  {
    what: 'an expression in use',
    definition: steps({ a: { ...llm(), on_failure: { use: { rows: ['${{ input }}'] } } } }),
    errors: [['steps.a.on_failure.use.rows.0', 'bad_expression']],
  },
  {
    what: 'a mistyped use',
    definition: steps({ a: { ...llm(), on_failure: { used: 1 } } }),
    errors: [
      ['steps.a.on_failure.use', 'invalid_value'],
      ['steps.a.on_failure.used', 'unknown_field', 'use'],
    ],
  },
  {
    what: 'a bad deadline of runs',
    definition: steps({ a: llm() }, { deadline: 'soon' }),
    errors: [['deadline', 'invalid_duration']],
  },
  {
    what: 'an unknown field of run in an expression',
    definition: steps({ a: { value: '${{ run.started }}' } }),
    errors: [['steps.a.value', 'unknown_name', 'startedAt']],
  },
  {
    what: 'limits and priorities where no task goes out',
    definition: steps({
      a: { wait: '1s', concurrency: { key: 'k', limit: 1 } },
      b: { approval: {}, rate: { key: 'k', limit: 1, per: '1s' } },
      c: { signal: 'go', priority: 1 },
      d: block({ e: { value: 1, cache: { ttl: '1h' } } }, { priority: 1 }),
      f: { run: 'x', cache: { ttl: '1h' }, gate: true, effect: 'read', retry: {} },
    }),
    errors: [
      ['steps.a.concurrency', 'misplaced_modifier'],
      ['steps.b.rate', 'misplaced_modifier'],
      ['steps.c.priority', 'misplaced_modifier'],
      ['steps.d.priority', 'misplaced_modifier'],
      ['steps.d.steps.e.cache', 'misplaced_modifier'],
      ...['cache', 'gate', 'effect', 'retry'].map((one): Expected => [`steps.f.${one}`, 'misplaced_modifier']),
    ],
  },
  {
    what: 'a secret in the key of a limit and of a cache',
    definition: steps({
      a: {
        ...llm(),
        concurrency: { key: '${{ secrets.K }}', limit: 1 },
        cache: { key: '${{ secrets.K }}', ttl: '1h' },
      },
    }),
    errors: [
      ['steps.a.concurrency.key', 'misplaced_secret'],
      ['steps.a.cache.key', 'misplaced_secret'],
    ],
  },
  {
    what: 'the environment in the limit of runs',
    definition: steps({ a: llm() }, { concurrency: { key: '${{ env.REGION }}', limit: 1 } }),
    errors: [['concurrency.key', 'unknown_name']],
  },
  {
    what: 'a mistyped field of the limit of runs',
    definition: steps({ a: llm() }, { concurrency: { key: 'k', limt: 1 } }),
    errors: [
      ['concurrency.limit', 'missing_field'],
      ['concurrency.limt', 'unknown_field', 'limit'],
    ],
  },
  {
    what: 'a cache of a call that is done once, in a block',
    definition: steps({ a: block({ b: { ...llm(), effect: 'once', cache: { ttl: '1h' } } }) }),
    errors: [['steps.a.steps.b.cache', 'misplaced_modifier']],
  },
  {
    what: 'any of no items',
    definition: steps({ a: { value: 1, each: { in: [], join: 'any' } } }),
    errors: [['steps.a.each.join', 'invalid_value']],
  },
  {
    what: 'more items than any list may have',
    definition: steps({ a: { value: 1, each: { in: '${{ input }}', join: { atLeast: 20_000 } } } }),
    errors: [['steps.a.each.join', 'invalid_value', '10000']],
  },
  {
    what: 'parts of a repeat and of a child one level too high',
    definition: steps({ a: { value: 1, until: '${{ true }}' }, b: { workflow: 'other' } }),
    errors: [
      ['steps.a.until', 'unknown_field', 'repeat.until'],
      ['steps.b.workflow', 'unknown_field', 'run.workflow'],
    ],
  },
]
