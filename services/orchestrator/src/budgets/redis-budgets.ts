// The budgets of the fleet over Redis, standalone or Cluster: one script each, all counters of a namespace in one slot.
import { budgetKey } from '@stepfleet/contracts'
import type { BudgetCap } from '@stepfleet/engine'
import { luaScript, type RedisClient } from '@stepfleet/runtime'
import type { ClientContext, Result } from 'ioredis'
import { z } from 'zod'
import { counterOf, dayOf, type FleetBudgets, type Spend, type Whose } from './port.ts'

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sfReserve(...args: string[]): Result<unknown, Context>
    sfSettle(...args: string[]): Result<number, Context>
  }
}

const DAY_MS = 86_400_000
/** A day's counter is kept for late answers. */
const DAY_COUNTER_MS = 3 * DAY_MS
/** As long as a run may live. */
const RUN_COUNTER_MS = 90 * DAY_MS
/** In the order of the scripts' keys. */
const SCOPES: readonly BudgetCap['scope'][] = ['run', 'workflow', 'namespace', 'agent']

const refusedSchema = z.tuple([z.literal(0), z.int(), z.enum(['tokens', 'usd']), z.int(), z.int(), z.int()])
const answerSchema = z.union([z.tuple([z.literal(1)]), refusedSchema])

/**
 * Budgets over a connection that stays its maker's to close. Connection errors reject with ioredis's errors. A call that
 * is sent again does nothing more.
 */
export const createRedisBudgets = (client: RedisClient): FleetBudgets => {
  client.defineCommand('sfReserve', luaScript(new URL('./lua/reserve.5.lua', import.meta.url)))
  client.defineCommand('sfSettle', luaScript(new URL('./lua/settle.5.lua', import.meta.url)))

  const keysOf = (ns: string, whose: Whose): string[] => [
    budgetKey(ns, `held:${whose.run}`),
    ...SCOPES.map((scope) => budgetKey(ns, counterOf(scope, whose))),
  ]
  const today = async (): Promise<string> => {
    const [seconds] = await client.time()
    return dayOf(Number(seconds) * 1_000)
  }
  const spendOf = async (key: string): Promise<Spend> => {
    const fields = await client.hmget(key, 'tokens', 'usd', 'heldTokens', 'heldUsd')
    const [tokens = 0, microUsd = 0, heldTokens = 0, heldUsd = 0] = fields.map(Number)
    return { spent: { tokens, microUsd }, reserved: { tokens: heldTokens, microUsd: heldUsd } }
  }

  return {
    reserve: async (ns, { run, workflow, agent = '', holder, caps, tokens, microUsd }) => {
      const day = await today()
      const limits = SCOPES.flatMap((scope) => {
        const cap = caps.find((one) => one.scope === scope)
        return cap ? ['1', `${cap.tokens ?? ''}`, `${cap.microUsd ?? ''}`] : ['0', '', '']
      })
      const about = [holder, `${tokens}`, `${microUsd}`, day, `${DAY_COUNTER_MS}`, `${RUN_COUNTER_MS}`, workflow, agent]
      const answer = answerSchema.parse(
        await client.sfReserve(...keysOf(ns, { run, workflow, agent, day }), ...about, ...limits),
      )
      if (answer.length === 1) return { granted: true }
      const [, counter, unit, cap, spent, reserved] = answer
      const needed = unit === 'tokens' ? tokens : microUsd
      const over = { scope: SCOPES[counter - 1] ?? 'run', unit, cap, spent, reserved, needed }
      return { granted: false, over, pending: spent + needed <= cap }
    },
    settle: async (ns, run, holder, used) => {
      const held = budgetKey(ns, `held:${run}`)
      const entry = await client.hget(held, holder)
      if (entry === null) return
      const [, , , day = '', , workflow = '', agent = ''] = entry.split(' ')
      const keys = keysOf(ns, { run, workflow, agent, day })
      await client.sfSettle(...keys, holder, `${used?.tokens ?? ''}`, `${used?.microUsd ?? ''}`)
    },
    ofRun: (ns, run) => spendOf(budgetKey(ns, counterOf('run', { run, workflow: '', agent: '', day: '' }))),
    ofWorkflow: async (ns, workflow) =>
      spendOf(budgetKey(ns, counterOf('workflow', { run: '', workflow, agent: '', day: await today() }))),
  }
}
