// The plan of a definition: defaults, order, templates.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { Definition, StepDefinition } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { retryPolicy } from './compile/defaults.ts'
import { compile } from './compile.ts'
import { exampleDefinition } from './example.fixture.ts'
import type { Plan, StepBody, StepPlan } from './plan.ts'

const MODEL = 'anthropic/claude-sonnet-5-5'
const planOf = (steps: Record<string, StepDefinition>, more: Partial<Definition> = {}): Plan =>
  compile({ name: 'flow', ...more, steps }, 'hash')
const step = (plan: Plan, name = 'a'): StepPlan => {
  const found = plan.steps.get(name)
  if (!found) throw new Error(`no step ${name}`)
  return found
}
const only = (definition: StepDefinition, more: Partial<Definition> = {}): StepPlan =>
  step(planOf({ a: definition }, more))
const body = <K extends StepBody['kind']>(plan: StepPlan, kind: K): Extract<StepBody, { kind: K }> => {
  if (plan.body.kind !== kind) throw new Error(`it is ${plan.body.kind}`)
  return plan.body as Extract<StepBody, { kind: K }>
}
const http = (method?: string): StepDefinition => ({
  tool: 'http',
  with: { url: 'u', ...(method === undefined ? {} : { method }) },
})

describe('the plan of the example', () => {
  const plan = compile(exampleDefinition(), 'abc')

  it('orders steps by what they mention', () => {
    expect([...plan.steps].map(([name, { needs }]) => [name, needs])).toEqual([
      ['queries', []],
      ['search', ['queries']],
      ['report', ['search']],
      ['publish', ['report']],
      ['mail', ['publish', 'report']],
    ])
    expect([...(plan.scopes.get('')?.dependents ?? [])]).toEqual([
      ['queries', ['search']],
      ['search', ['report']],
      ['report', ['publish', 'mail']],
      ['publish', ['mail']],
      ['mail', []],
    ])
  })

  it('resolves every default', () => {
    expect(step(plan, 'queries')).toMatchObject({
      retry: { attempts: 5, initialMs: 1_000, factor: 2, maxMs: 60_000, never: [] },
      timeoutMs: 600_000,
      deadlineMs: null,
      effect: 'read',
      gate: false,
      onFailure: null,
      condition: null,
      each: null,
    })
    expect(step(plan, 'search')).toMatchObject({
      timeoutMs: 10_000,
      effect: 'read',
      each: { as: 'item', concurrency: 5, join: 'settled' },
    })
    expect(step(plan, 'publish').body).toMatchObject({
      kind: 'approval',
      assignee: 'editors',
      expiresMs: 86_400_000,
      onExpiry: 'reject',
    })
    expect(step(plan, 'mail')).toMatchObject({ effect: 'once', retry: { attempts: 1 }, timeoutMs: 60_000 })
    expect(plan).toMatchObject({ hash: 'abc', name: 'research-report' })
  })

  it('renders', () => {
    const scope = {
      input: { topic: 'bees', to: 'a@x.example' },
      steps: {
        report: { output: { text: 'T', confidence: 1 } },
        publish: { output: { approved: true } },
        search: { output: [1] },
      },
      item: 'q1',
    }
    expect(step(plan, 'mail').condition?.render(scope)).toEqual({ ok: true, value: true })
    expect(body(step(plan, 'mail'), 'tool').with.render(scope)).toEqual({
      ok: true,
      value: { to: 'a@x.example', body: 'T', token: { $secret: 'MAIL' } },
    })
    expect(
      body(step(plan, 'report'), 'llm').messages.map(({ role, content }) => [role, content.render(scope)]),
    ).toEqual([['user', { ok: true, value: 'Write the report from [1]' }]])
    expect(plan.output?.render(scope)).toEqual({ ok: true, value: { report: { text: 'T', confidence: 1 } } })
    expect(step(plan, 'search').each?.in.mentions).toEqual([{ step: 'queries', field: 'output' }])
  })
})

describe('defaults', () => {
  it('come from the definition before the built-in ones', () => {
    const defaults = { retry: { attempts: 3, initial: '2s' }, timeout: '5s' }
    expect(only({ tool: 'mail' }, { defaults })).toMatchObject({
      timeoutMs: 5_000,
      retry: { attempts: 3, initialMs: 2_000, factor: 2 },
    })
    expect(only({ tool: 'mail', timeout: '1s', retry: { attempts: 2 } }, { defaults })).toMatchObject({
      timeoutMs: 1_000,
      retry: { attempts: 2, initialMs: 2_000 },
    })
  })

  it.each([
    [undefined, 'read', 5],
    ['get', 'read', 5],
    ['HEAD', 'read', 5],
    ['PUT', 'idempotent', 5],
    ['DELETE', 'idempotent', 5],
    ['POST', 'once', 1],
    ['PATCH', 'once', 1],
    ['${{ input.method }}', 'once', 1],
  ])('take the effect of http %s: %s, %i attempts', (method, effect, attempts) => {
    expect(only(http(method))).toMatchObject({ effect, retry: { attempts } })
  })

  it('try an effect once a single time unless the step itself says a retry', () => {
    expect(only({ tool: 'mail', effect: 'once' }, { defaults: { retry: { attempts: 4 } } }).retry.attempts).toBe(1)
    expect(only({ tool: 'mail', effect: 'once', retry: { initial: '1s' } }).retry.attempts).toBe(5)
    expect(only({ ...http('POST'), effect: 'idempotent' })).toMatchObject({
      effect: 'idempotent',
      retry: { attempts: 5 },
    })
    expect(retryPolicy(undefined, undefined, 'once').attempts).toBe(1)
  })

  it('leave the effect of a module tool to its manifest, and other kinds without one', () => {
    expect(only({ tool: 'mail' })).toMatchObject({ effect: null, retry: { attempts: 5 } })
    expect(only({ wait: '1s' }).effect).toBeNull()
    expect(only({ agent: { model: MODEL, prompt: 'x' } })).toMatchObject({ effect: 'read', timeoutMs: 600_000 })
  })
})

describe('bodies', () => {
  it('carry what is said of thinking and caching; an agent is cached unless it says otherwise', () => {
    const llm = { model: MODEL, prompt: 'x', thinking: 'low' as const, cache: true }
    expect(body(only({ llm }), 'llm').settings).toMatchObject({ thinking: 'low', cache: true })
    expect(body(only({ llm: { model: MODEL, prompt: 'x' } }), 'llm').settings.cache).toBeUndefined()
    const agent = { model: MODEL, prompt: 'x', thinking: { budget: 2_000 } }
    expect(body(only({ agent }), 'agent').settings).toMatchObject({ thinking: { budget: 2_000 }, cache: true })
    expect(body(only({ agent: { ...agent, cache: false } }), 'agent').settings.cache).toBe(false)
  })

  it('of an agent', () => {
    const agent = body(
      only({
        agent: {
          model: MODEL,
          system: 'S',
          prompt: '${{ input.n }}',
          max_tokens: 9,
          tools: [
            'find',
            {
              name: 'post',
              description: 'd',
              input: { type: 'object' },
              tool: 'http',
              with: { url: '${{ args.u }}', method: 'POST' },
              gate: true,
              timeout: '3s',
            },
            { name: 'note', description: 'd', input: { type: 'object' }, tool: 'notes', retry: { attempts: 2 } },
          ],
        },
      }),
      'agent',
    )
    expect(agent).toMatchObject({ maxTurns: 20, settings: { max_tokens: 9 }, output: null })
    expect(agent.prompt.render({ input: { n: 3 } })).toEqual({ ok: true, value: '3' })
    const [find, post, note] = agent.tools
    expect(find).toEqual({ name: 'find', declared: null, effect: null, gate: false, timeoutMs: null, retry: null })
    expect(post).toMatchObject({ name: 'post', effect: 'once', gate: true, timeoutMs: 3_000, retry: { attempts: 1 } })
    expect(
      post?.declared?.action.kind === 'tool' && post.declared.action.with.render({ args: { u: 'https://x.example' } }),
    ).toEqual({
      ok: true,
      value: { url: 'https://x.example', method: 'POST' },
    })
    expect(note).toMatchObject({ effect: null, retry: { attempts: 2 } })
  })

  it('of waits and signals', () => {
    expect(body(only({ wait: '10m' }), 'wait')).toMatchObject({ mode: 'for', time: { source: '10m', constant: true } })
    expect(body(only({ wait: { for: '1s' } }), 'wait').mode).toBe('for')
    const until = body(only({ wait: { until: '${{ input.at }}' } }), 'wait')
    expect(until.time.render({ input: { at: 1_700_000_000_000 } })).toEqual({ ok: true, value: 1_700_000_000_000 })
    expect(body(only({ signal: 'paid' }), 'signal')).toMatchObject({ schema: null, timeoutMs: null })
    const named = body(
      only({ signal: { name: 'paid-${{ input.n }}', timeout: '1h', schema: { type: 'object' } } }),
      'signal',
    )
    expect(named).toMatchObject({ timeoutMs: 3_600_000, schema: { type: 'object' } })
    expect(named.name.render({ input: { n: 7 } })).toEqual({ ok: true, value: 'paid-7' })
  })

  it('of each in its short form, conditions and values', () => {
    const plan = only({
      value: '${{ item }}',
      each: '${{ input.list }}',
      if: false,
      deadline: '1h',
      on_failure: 'continue',
    })
    expect(plan).toMatchObject({
      each: { as: 'item', concurrency: 10_000, join: 'all' },
      condition: { constant: true, source: false },
      deadlineMs: 3_600_000,
      onFailure: 'continue',
    })
    expect(only({ value: 1, if: true }).condition).toBeNull()
    expect(body(only({ value: null }), 'value').value.render({})).toEqual({ ok: true, value: null })
  })
})

describe('a definition that was not validated', () => {
  it('is a bug', () => {
    expect(() => planOf({ a: { value: '${{ 1 + }}' } })).toThrow('not a valid template')
    expect(() => planOf({ a: { value: 1, needs: ['b'] } })).toThrow('does not exist')
    expect(() => planOf({ a: {} })).toThrow('without a kind')
    expect(() => planOf({ a: { value: 1, deadline: 'soon' } })).toThrow('not a duration')
  })
})
