// The budgets of the fleet in memory, for tests.
import { BudgetLedger } from '@stepfleet/engine'
import { counterOf, dayOf, type FleetBudgets } from './port.ts'

export const createMemoryBudgets = (nowMs: () => number): FleetBudgets => {
  const namespaces = new Map<string, BudgetLedger>()
  const ledgerOf = (ns: string): BudgetLedger => {
    const known = namespaces.get(ns) ?? new BudgetLedger()
    namespaces.set(ns, known)
    return known
  }
  const spendOf = (ns: string, name: string) => structuredClone(ledgerOf(ns).counter(name))
  return {
    reserve: async (ns, { run, workflow, agent = '', holder, caps, tokens, microUsd }) => {
      const day = dayOf(nowMs())
      const counted = caps.map((cap) => ({
        name: counterOf(cap.scope, { run, workflow, agent, day }),
        scope: cap.scope,
        cap,
      }))
      const answer = ledgerOf(ns).reserve(`${run}/${holder}`, { tokens, microUsd }, counted)
      return answer.granted ? { granted: true } : { granted: false, over: answer.over, pending: answer.pending }
    },
    settle: async (ns, run, holder, used) => ledgerOf(ns).settle(`${run}/${holder}`, used),
    ofRun: async (ns, run) => spendOf(ns, counterOf('run', { run, workflow: '', agent: '', day: '' })),
    ofWorkflow: async (ns, workflow) =>
      spendOf(ns, counterOf('workflow', { run: '', workflow, agent: '', day: dayOf(nowMs()) })),
  }
}
