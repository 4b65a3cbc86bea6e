// Wrong definitions: compensations, children, joins, limits, caches, tools of agents.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { agent, type Case, http, llm, steps, tool } from './builders.fixture.ts'

export const MODIFIERS: Case[] = [
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
    what: 'a tool of an agent without what runs it',
    definition: steps({ a: agent(tool) }),
    errors: [['steps.a.agent.tools.0.tool', 'missing_field']],
  },
  {
    what: 'a tool of an agent with two',
    definition: steps({ a: agent({ ...tool, run: 'x', approval: {} }) }),
    errors: [['steps.a.agent.tools.0.approval', 'unknown_field']],
  },
  {
    what: 'an effect on a workflow as a tool',
    definition: steps({ a: agent({ ...tool, run: 'x', effect: 'read' }) }),
    errors: [['steps.a.agent.tools.0.effect', 'unknown_field']],
  },
  {
    what: 'a gate on an approval as a tool',
    definition: steps({ a: agent({ ...tool, approval: {}, gate: true }) }),
    errors: [['steps.a.agent.tools.0.gate', 'unknown_field']],
  },
  {
    what: 'a mistyped field of an approval as a tool',
    definition: steps({ a: agent({ ...tool, approval: { asignee: 'x' } }) }),
    errors: [['steps.a.agent.tools.0.approval.asignee', 'unknown_field', 'assignee']],
  },
  {
    what: 'an unknown argument name',
    definition: steps({ a: agent({ ...tool, run: { workflow: 'x', input: '${{ arg.q }}' } }) }),
    errors: [['steps.a.agent.tools.0.run.input', 'unknown_name', 'args']],
  },
  {
    what: 'a tool without description',
    definition: steps({ a: agent({ name: 'ask', input: { type: 'object' }, run: 'x' }) }),
    errors: [['steps.a.agent.tools.0.description', 'missing_field']],
  },
  {
    what: 'a secret in a compensating prompt',
    definition: steps({ a: { tool: 'x', compensate: llm({ prompt: '${{ secrets.K }}' }) } }),
    errors: [['steps.a.compensate.llm.prompt', 'misplaced_secret']],
  },
  {
    what: 'an unknown field of run in an expression',
    definition: steps({ a: { value: '${{ run.started }}' } }),
    errors: [['steps.a.value', 'unknown_name', 'startedAt']],
  },
]
