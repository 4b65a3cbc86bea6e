// Budgets: what a call may cost is reserved before it; a call that could pass a budget is not made.
import { failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { BudgetLedger } from '../ledger.ts'
import { AMBIGUOUS, calls, MODEL, moduleTool, PERMANENT, TRANSIENT, USAGE, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const llm = { model: MODEL, prompt: 'p', max_tokens: 100 }

/** A world whose answers come from a ledger, and whose messages reach it. */
const budgeted = (steps: Parameters<typeof workflow>[0], budget: NonNullable<Parameters<World['raise']>[0]>) => {
  const w = new World(workflow(steps, { budget }), TOOLS)
  const ledger = new BudgetLedger()
  w.answer = (ask) => {
    if (ask.kind !== 'budget') return { kind: 'limit', granted: true }
    const counted = ask.caps.map(({ scope, ...cap }) => ({ name: scope, scope, cap }))
    return ledger.reserve(ask.holder, ask, counted)
  }
  let read = 0
  const settle = () => {
    for (const message of w.others.slice(read)) {
      if (message.kind === 'settle') ledger.settle(message.holder, message.used)
    }
    read = w.others.length
    return ledger.counter('run')
  }
  return { w, ledger, settle }
}

describe('a budget', () => {
  it('counts what calls used, and not what they might have', () => {
    const { w, settle } = budgeted({ a: { llm } }, { tokens: 500 })
    w.start()
    expect(settle()).toMatchObject({ spent: { tokens: 0 }, reserved: { tokens: expect.toSatisfy((n) => n > 100) } })
    w.done('a')
    expect(settle()).toEqual({ spent: { tokens: 15, microUsd: 35 }, reserved: { tokens: 0, microUsd: 0 } })
  })

  it('that the next call could pass opens a case; raised, the run goes on by itself', () => {
    const { w, settle } = budgeted({ a: { llm } }, { tokens: 100 })
    expect(w.start()).toEqual(['run.started', 'step.escalated a budget_exceeded'])
    expect(w.step('a').failure?.message).toMatch(
      /^the budget of the run is 100 tokens: 0 tokens is spent, and the next call may cost \d+ tokens$/,
    )
    w.reload('snapshot')
    expect(w.raise({ tokens: 1_000 })).toEqual([
      'run.budget_raised',
      'escalation.resolved a retry',
      'step.retried a',
      'step.dispatched a 1.1',
    ])
    expect(w.done('a')).toContain('run.completed')
    expect(settle().spent.tokens).toBe(15)
  })

  it('counts attempts that failed, and what nobody knows of as if all of it was used', () => {
    const { w, settle } = budgeted({ a: { llm, retry: { attempts: 3, initial: '1ms' } } }, { tokens: 1_000 })
    w.start()
    const [reserved] = [settle().reserved.tokens]
    w.fails('a', TRANSIENT)
    expect(settle()).toMatchObject({ spent: { tokens: 15 }, reserved: { tokens: 0 } })
    w.wake({}, w.nowMs + 1_000)
    w.loses('a')
    // the call of the dead worker, and the next delivery
    expect(settle()).toMatchObject({ spent: { tokens: 15 + reserved }, reserved: { tokens: reserved } })
    w.done('a', 'late', { delivery: 1 })
    expect(settle()).toMatchObject({ spent: { tokens: 30 + reserved } })
    // the other delivery was out when its step ended: it may be paid too, until its worker tells
    w.done('a', 'again', { delivery: 2 })
    expect(settle()).toEqual({ spent: { tokens: 45, microUsd: 105 }, reserved: { tokens: 0, microUsd: 0 } })
  })

  it('counts in full what a server tells nothing of, or only the beginning of', () => {
    const { w, settle } = budgeted({ a: { llm, retry: { attempts: 2, initial: '1ms' } } }, { tokens: 1_000 })
    w.start()
    const [reserved] = [settle().reserved.tokens]
    // the input was told, and one token of an answer that broke off after many
    w.fails('a', failure('stream_broken', 'cut'), { usage: { ...USAGE, inputTokens: 5, outputTokens: 1 } })
    expect(settle().spent.tokens).toBe(reserved)
    w.wake({}, w.nowMs + 1_000)
    w.done('a', 'x', { usage: { ...USAGE, inputTokens: 0, outputTokens: 0, microUsd: null } })
    expect(settle()).toMatchObject({ spent: { tokens: 2 * reserved }, reserved: { tokens: 0 } })
  })

  it('charges nothing for a call that was refused, or never made', () => {
    const { w, settle } = budgeted({ a: { llm }, b: { llm }, c: { llm } }, { tokens: 1_000 })
    w.start()
    w.fails('c', failure('connection_failed', 'ECONNREFUSED', { details: { notSent: true } }), { usage: null })
    w.fails('a', PERMANENT, { usage: null })
    expect(w.releases('b', 5_000)).toContain('step.lost b 1.1 released')
    expect(settle()).toEqual({ spent: { tokens: 0, microUsd: 0 }, reserved: { tokens: 0, microUsd: 0 } })
  })

  it('makes calls wait while what others may use is reserved', () => {
    const { w, settle } = budgeted({ a: { llm }, b: { llm } }, { tokens: 200 })
    expect(w.start()).toEqual(['run.started', 'step.dispatched a 1.1', 'step.held b'])
    expect(w.step('b').heldWhy).toBe(
      'waits for calls under way: what they may cost is reserved in the budget of the run',
    )
    w.done('a')
    settle()
    expect(w.wake({}, w.nowMs + 1_000)).toEqual(['step.dispatched b 1.1'])
    expect(w.done('b')).toContain('run.completed')
  })

  it('gives back what a cancelled run had reserved, once it is known', () => {
    const { w, settle } = budgeted({ a: { llm }, b: { tool: 'find' } }, { usd: 1 })
    w.start()
    const { microUsd } = settle().reserved
    w.cancel()
    expect(settle()).toMatchObject({ spent: { microUsd }, reserved: { microUsd: 0 } })
    w.done('a', 'late')
    expect(settle()).toMatchObject({ spent: { microUsd: USAGE.microUsd } })
  })

  it('holds for the turns of an agent, whose conversation grows', () => {
    const agent = { model: MODEL, prompt: 'p', tools: ['find'], max_tokens: 100 }
    const { w, ledger, settle } = budgeted({ a: { agent } }, { tokens: 100_000 })
    w.start()
    const first = settle().reserved.tokens
    w.done('a/turn-1/llm', calls(['find']), { usage: { ...USAGE, inputTokens: 5_000 } })
    w.done('a/turn-1/tool-0', 'x'.repeat(1_000))
    settle()
    expect(ledger.counter('run').reserved.tokens).toBeGreaterThan(first + 5_000 + 400)
  })

  it('asks for the caps of the day too, and settles what an ambiguous end leaves', () => {
    const { w, ledger, settle } = budgeted({ a: { llm, retry: { attempts: 1 } } }, { per_day: { usd: 2, tokens: 900 } })
    w.start()
    const held = ledger.counter('workflow').reserved
    expect(held.microUsd).toBeGreaterThan(0)
    const reserved = { ...held }
    w.fails('a', AMBIGUOUS, { usage: null })
    settle()
    expect(ledger.counter('workflow')).toEqual({ spent: reserved, reserved: { tokens: 0, microUsd: 0 } })
  })

  it('reserves the whole conversation, whichever attempt answered and whatever a person put in', () => {
    const agent = { model: MODEL, prompt: 'p', tools: ['find'], max_tokens: 100 }
    const { w, ledger, settle } = budgeted({ a: { agent, retry: { attempts: 3, initial: '1ms' } } }, { tokens: 1e6 })
    w.start()
    w.wake({ 'a/turn-1/llm': { claimedAtMs: w.nowMs } }, w.nowMs + 700_000)
    w.wake({}, w.nowMs + 100)
    w.done('a/turn-1/llm', calls(['find']), { attempt: 1, usage: { ...USAGE, inputTokens: 20_000 } })
    w.done('a/turn-1/tool-0')
    settle()
    expect(ledger.counter('run').reserved.tokens).toBeGreaterThan(20_000)
    w.override('a/turn-2/llm', calls(['find']))
    w.done('a/turn-2/tool-0')
    settle()
    expect(w.task('a/turn-3/llm')).toBeDefined()
    expect(ledger.counter('run').reserved.tokens).toBeGreaterThan(20_000)
  })

  it('reserves for a round of repair too, and by bytes', () => {
    const plain = budgeted({ a: { llm } }, { tokens: 1e6 })
    plain.w.start()
    const one = plain.settle().reserved.tokens
    const repaired = budgeted({ a: { llm: { ...llm, output: { type: 'object' } } } }, { tokens: 1e6 })
    repaired.w.start()
    expect(repaired.settle().reserved.tokens).toBeGreaterThan(2 * one)
    const wide = budgeted({ a: { llm: { ...llm, prompt: '茶'.repeat(1_000) } } }, { tokens: 1e6 })
    wide.w.start()
    expect(wide.settle().reserved.tokens).toBeGreaterThan(1_100)
  })

  it('counts what was spent before it was set, and keeps caps that are not named', () => {
    const w = new World(workflow({ a: { llm }, b: { llm, needs: ['a'] } }), TOOLS)
    const ledger = new BudgetLedger()
    w.answer = (ask) =>
      ask.kind === 'budget'
        ? ledger.reserve(
            ask.holder,
            ask,
            ask.caps.map(({ scope, ...cap }) => ({ name: scope, scope, cap })),
          )
        : { kind: 'limit', granted: true }
    w.start()
    w.run('pause')
    w.done('a', 'ok', { usage: { ...USAGE, inputTokens: 990 } })
    w.raise({ tokens: 1_000, per_day: { tokens: 9_000 } })
    w.raise({ per_day: { usd: 5 } })
    expect(w.state.budget).toEqual({ tokens: 1_000, per_day: { tokens: 9_000, usd: 5 } })
    expect(w.run('resume')).toContain('step.escalated b budget_exceeded')
    expect(w.step('b').failure?.message).toContain('the budget of the run is 1000 tokens: 995 tokens is spent')
    w.retry('b', { edit: { model: 'anthropic/claude-unpriced' } })
    expect(w.verdict).toMatchObject({ status: 'refused', message: expect.stringContaining('no price is known') })
  })

  it('counts what was out when it was set, as soon as that is known', () => {
    const { w, settle } = budgeted({ a: { llm }, b: { llm }, c: { llm, needs: ['a', 'b'] } }, { per_day: { usd: 50 } })
    w.start()
    w.raise({ tokens: 1_000 })
    expect(w.state.unreserved).toEqual(['a.1.1', 'b.1.1'])
    w.reload('snapshot')
    w.done('a', 'ok', { usage: { ...USAGE, inputTokens: 700 } })
    w.done('b')
    expect([w.state.uncounted, w.state.unreserved]).toEqual([{ tokens: 720, microUsd: 70 }, []])
    expect(settle()).toEqual({
      spent: { tokens: 0, microUsd: 0 },
      reserved: { tokens: expect.any(Number), microUsd: expect.any(Number) },
    })
    // of what was reserved from then on, nothing is counted twice
    w.done('c', 'ok', { usage: { ...USAGE, inputTokens: 200 } })
    expect(w.state.uncounted.tokens).toBe(720)
  })

  it('settles the call that it is about, also when it is told late', () => {
    const { w, ledger, settle } = budgeted({ a: { llm, retry: { attempts: 3, initial: '1ms' } } }, { tokens: 10_000 })
    w.start()
    const { tokens } = settle().reserved
    w.wake({ a: { claimedAtMs: w.nowMs } }, w.nowMs + 700_000)
    w.wake({}, w.nowMs + 100)
    settle()
    expect(ledger.counter('run')).toMatchObject({ spent: { tokens }, reserved: { tokens } })
  })

  describe('of an agent', () => {
    const agent = { model: MODEL, prompt: 'p', tools: ['find'], max_tokens: 100 }
    const USED = { ...USAGE, inputTokens: 300 }
    const withOwn = (budget: { tokens?: number; usd?: number }, more = {}) =>
      budgeted({ a: { agent: { ...agent, budget } }, b: { llm }, ...more }, { tokens: 1e6 })

    it('stops the agent alone; raised, the agent goes on where it was', () => {
      const { w, ledger, settle } = withOwn({ tokens: 600 })
      w.start()
      w.done('b')
      w.done('a/turn-1/llm', calls(['find']), { usage: USED })
      settle()
      // what `b` used is none of the agent's
      expect(ledger.counter('agent')).toMatchObject({ spent: { tokens: 305 } })
      expect(w.done('a/turn-1/tool-0')).toContain('step.escalated a/turn-2/llm budget_exceeded')
      expect(w.step('a/turn-2/llm').failure?.message).toMatch(
        /^the budget of the agent is 600 tokens: 305 tokens is spent/,
      )
      w.reload('snapshot')
      expect(w.raise({ tokens: 5_000 })).toContain('step.escalated a/turn-2/llm budget_exceeded')
      w.reload('journal')
      expect(w.raise({ tokens: 2_000 }, 'a')).toEqual([
        'step.budget_raised a',
        'escalation.resolved a/turn-2/llm retry',
        'step.retried a/turn-2/llm',
        'step.dispatched a/turn-2/llm 1.1',
      ])
      w.reload('snapshot')
      expect(w.done('a/turn-2/llm', { text: 'done', tools: [] })).toContain('run.completed')
      settle()
      expect(ledger.counter('agent')).toEqual({
        spent: { tokens: 320, microUsd: 70 },
        reserved: { tokens: 0, microUsd: 0 },
      })
    })

    it('holds beside that of its run, and for each item alone', () => {
      const { w, ledger } = budgeted(
        { a: { agent: { ...agent, budget: { tokens: 600 } }, each: { in: [1, 2] } } },
        { tokens: 1e6 },
      )
      const asked: (string | undefined)[] = []
      const before = w.answer
      w.answer = (ask) => {
        if (ask.kind === 'budget') asked.push(ask.agent)
        return before(ask)
      }
      w.start()
      expect(asked).toEqual(['a[0]', 'a[1]'])
      expect(ledger.counter('run').reserved).toEqual(ledger.counter('agent').reserved)
    })

    it('is counted where the run has none, and asks nothing for the others', () => {
      const w = new World(workflow({ a: { agent: { ...agent, budget: { usd: 1 } } }, b: { llm } }), TOOLS)
      const asked: string[] = []
      w.answer = (ask) => {
        if (ask.kind === 'budget') asked.push(...ask.caps.map(({ scope }) => `${scope} of ${ask.agent}`))
        return { kind: 'budget', granted: true }
      }
      w.start()
      expect(asked).toEqual(['agent of a'])
      w.done('a/turn-1/llm', calls(['find']))
      expect(w.others).toContainEqual(expect.objectContaining({ kind: 'settle', holder: 'a/turn-1/llm.1.1' }))
    })

    it('is raised only where there is one', () => {
      const { w } = withOwn({ tokens: 600 })
      w.start()
      const refusals = [
        ['b', { tokens: 5 }, 'step b has no budget of its own; it spends that of the run'],
        ['a/turn-1/llm', { tokens: 5 }, 'step a/turn-1/llm has no budget of its own; it spends that of the run'],
        ['zz', { tokens: 5 }, 'the run has no step zz'],
        ['a', { per_day: { tokens: 5 } }, 'only a workflow has a budget per day'],
      ] as const
      for (const [path, budget, message] of refusals) {
        expect(w.raise(budget, path)).toEqual([])
        expect(w.verdict).toMatchObject({ status: 'refused', message })
      }
      w.skip('a')
      w.raise({ tokens: 5_000 }, 'a')
      expect(w.verdict).toMatchObject({ status: 'refused', code: 'step_ended' })
    })
  })

  it('is not asked where there is none', () => {
    const w = new World(workflow({ a: { llm } }), TOOLS)
    const asked: string[] = []
    w.answer = (ask) => {
      asked.push(ask.kind)
      return { kind: 'limit', granted: true }
    }
    w.start()
    w.done('a')
    expect([asked, w.others]).toEqual([[], []])
  })
})
