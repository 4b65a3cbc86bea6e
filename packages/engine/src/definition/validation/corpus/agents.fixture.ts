// Wrong definitions: the tools of agents, by what runs them.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { agent, block, type Case, steps, tool } from './builders.fixture.ts'

const asking = { ...tool, input: { type: 'object', properties: { query: { type: 'string' } } } }

export const AGENTS: Case[] = [
  {
    what: 'a tool of an agent without what runs it',
    definition: steps({ a: agent(tool) }),
    errors: [['steps.a.agent.tools.0', 'no_kind']],
  },
  {
    what: 'a tool of an agent with two',
    definition: steps({ a: agent({ ...tool, run: 'x', approval: {} }) }),
    errors: [['steps.a.agent.tools.0', 'several_kinds']],
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
    what: 'a tool of an agent whose kind is mistyped',
    definition: steps({ a: agent({ ...tool, aproval: {} }) }),
    errors: [['steps.a.agent.tools.0.aproval', 'unknown_field', 'approval']],
  },
  {
    what: 'many things at once in an approval as a tool',
    definition: steps({ a: agent({ ...tool, approval: { expires: '2 days', on_expiry: 'rejct', asignee: 'x' } }) }),
    errors: [
      ['steps.a.agent.tools.0.approval.expires', 'invalid_duration', '2d'],
      ['steps.a.agent.tools.0.approval.on_expiry', 'invalid_value', 'reject'],
      ['steps.a.agent.tools.0.approval.asignee', 'unknown_field', 'assignee'],
    ],
  },
  {
    what: 'many things at once in a workflow as a tool',
    definition: steps({ a: agent({ ...tool, run: { workflow: 'X', detatch: true }, timeout: '1s', with: {} }) }),
    errors: [
      ['steps.a.agent.tools.0.run.workflow', 'invalid_value'],
      ['steps.a.agent.tools.0.run.detatch', 'unknown_field', 'detach'],
      ['steps.a.agent.tools.0.timeout', 'unknown_field'],
      ['steps.a.agent.tools.0.with', 'unknown_field'],
    ],
  },
  {
    what: 'a workflow as a tool that is a number',
    definition: steps({ a: agent({ ...tool, run: 5 }) }),
    errors: [['steps.a.agent.tools.0.run', 'wrong_type']],
  },
  {
    what: 'a tool of an agent in a block, without its input',
    definition: steps({ a: block({ b: agent({ name: 'ask', description: 'd', approval: {} }) }) }),
    errors: [['steps.a.steps.b.agent.tools.0.input', 'missing_field']],
  },
  {
    what: 'a mistyped argument',
    definition: steps({ a: agent({ ...asking, tool: 'http', with: { url: 'u', query: { q: '${{ args.qeury }}' } } }) }),
    errors: [['steps.a.agent.tools.0.with.query.q', 'unknown_input_field', 'query']],
  },
  {
    what: 'an argument of another kind',
    definition: steps({ a: agent({ ...asking, approval: { show: '${{ args.query * 2 }}' } }) }),
    errors: [['steps.a.agent.tools.0.approval.show', 'type_mismatch']],
  },
  {
    what: 'a secret for a child',
    definition: steps({ a: agent({ ...tool, run: { workflow: 'x', input: '${{ secrets.K }}' } }) }),
    errors: [['steps.a.agent.tools.0.run.input', 'misplaced_secret']],
  },
  {
    what: 'an expression as the one who approves',
    definition: steps({ a: agent({ ...tool, approval: { assignee: '${{ args.who }}' } }) }),
    errors: [['steps.a.agent.tools.0.approval.assignee', 'bad_expression']],
  },
]
