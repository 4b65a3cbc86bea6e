// The view of a run: its journal folded, joined with what is out now. Made for reading; nothing decides on it.
import type { Cost, Json, OutEntry, Payload, RunView, StepStatus, StepView, ToolManifest } from '@stepfleet/contracts'
import {
  addUsage,
  attemptViews,
  emptyCost,
  innerPath,
  isComposite,
  isEnded,
  kindOf,
  type Plan,
  parsePath,
  type RunState,
  type StepState,
} from '@stepfleet/engine'
import { callbackToken } from '@stepfleet/runtime'
import type { Amount, FleetBudgets, Spend } from '../budgets/port.ts'
import type { Plans } from '../drive/plans.ts'
import { type LoadedRun, loadRun } from '../drive/runs.ts'
import type { RunHead, Store } from '../store/port.ts'
import { summaryOf } from './summary.ts'
import { type WhyContext, whyPending, whyRun, whyStep } from './why.ts'

export interface ViewDeps {
  store: Store
  plans: Plans
  tools(): Promise<ReadonlyMap<string, ToolManifest>>
  budgets: Pick<FleetBudgets, 'ofRun'>
  /** What tokens of callbacks are signed with. */
  callbackSecret(): Promise<string>
}

interface ViewContext extends WhyContext {
  /** null: nothing waits for a callback. */
  secret: string | null
}

const add = (sum: Cost, more: Cost): void => {
  sum.microUsd += more.microUsd
  sum.inputTokens += more.inputTokens
  sum.outputTokens += more.outputTokens
  sum.calls += more.calls
  sum.unpricedCalls += more.unpricedCalls
  sum.scripted ||= more.scripted
}

const ownCost = (step: StepState): Cost => {
  const cost = emptyCost()
  for (const { usage } of step.attempts) if (usage) addUsage(cost, usage)
  return cost
}

/** Cost of every step, its parts included. */
const costs = (state: RunState): Map<string, Cost> => {
  const sums = new Map<string, Cost>()
  for (const step of state.steps.values()) {
    const own = ownCost(step)
    for (let at: StepState | undefined = step; at; at = at.parent === null ? undefined : state.steps.get(at.parent)) {
      const sum = sums.get(at.path) ?? emptyCost()
      add(sum, own)
      sums.set(at.path, sum)
    }
  }
  return sums
}

const statusOf = (step: StepState, out: OutEntry | undefined): StepStatus => {
  if (step.phase === 'scheduled') return out?.worker ? 'running' : 'scheduled'
  if (step.phase === 'failing') return 'retrying'
  if (step.phase === 'judging') return 'running'
  // a composite whose parts go on is running, whatever its parts wait for
  if (step.phase === 'waiting' && isComposite(step)) return 'running'
  return step.phase
}

/** The model that answered: of what was done in its place, where something was. */
const servedBy = ({ state }: WhyContext, step: StepState): string | null => {
  const answering = step.fallback ? state.steps.get(step.fallback.path) : step
  return answering?.attempts.at(-1)?.usage?.model ?? null
}

type Load = (payload: Payload | null) => Promise<Json>

/** Whoever is shown the run may hand the token over. */
const callbackOf = ({ state, secret }: ViewContext, { path, callback, attempts }: StepState): StepView['callback'] => {
  const attempt = attempts.at(-1)?.attempt
  if (callback === null || secret === null || attempt === undefined) return undefined
  const { ns, run, startedAtMs } = state
  return { token: callbackToken(secret, { ns, run, startedAtMs, path, attempt }), ...callback }
}

const stepView = async (context: ViewContext, step: StepState, cost: Cost, load: Load): Promise<StepView> => {
  const out = context.out.get(step.path)
  const attempts = attemptViews(step)
  const last = attempts.at(-1)
  const callback = callbackOf(context, step)
  return {
    path: step.path,
    parent: step.parent,
    kind: kindOf(context, step.path),
    status: statusOf(step, out),
    why: whyStep(context, step),
    attempt: last?.attempt ?? 0,
    attempts,
    readyAtMs: step.readyAtMs,
    startedAtMs: attempts[0]?.startedAtMs ?? out?.claimedAtMs ?? (step.opening ? step.readyAtMs : null),
    endedAtMs: step.endedAtMs,
    worker: out?.worker ?? last?.worker ?? null,
    servedBy: servedBy(context, step),
    cost,
    output: await load(step.output),
    failure: step.failure,
    case: step.case?.id ?? (step.approval && !step.approval.given ? step.approval.case : null),
    ...(step.fallback ? { fallback: step.fallback } : {}),
    ...(step.answer && !isEnded(step) ? { answer: await load(step.answer) } : {}),
    ...(callback ? { callback } : {}),
    ...(step.opening?.kind === 'run' ? { child: step.opening.run } : {}),
  }
}

const isOver = (state: RunState): boolean => state.endedAtMs !== null || state.closing !== null

/** A step without a record. A run that has ended, or only undoes what it did, will not begin it any more. */
const pendingView = (context: WhyContext, path: string): StepView => ({
  path,
  parent: parsePath(path).parent,
  kind: kindOf(context, path),
  status: isOver(context.state) ? 'cancelled' : 'pending',
  why: isOver(context.state) ? null : whyPending(context, path),
  attempt: 0,
  attempts: [],
  readyAtMs: null,
  startedAtMs: null,
  endedAtMs: null,
  worker: null,
  servedBy: null,
  cost: emptyCost(),
  output: null,
  failure: null,
  case: null,
})

const partsOf = (state: RunState): Map<string, StepState[]> => {
  const parts = new Map<string, StepState[]>()
  for (const step of state.steps.values()) {
    if (step.parent === null) continue
    const list = parts.get(step.parent)
    if (list) list.push(step)
    else parts.set(step.parent, [step])
  }
  return parts
}

/** Steps in the order of the definition, each with its parts behind it; a path alone has no record yet. */
const ordered = (plan: Plan, state: RunState): (StepState | string)[] => {
  const parts = partsOf(state)
  const result: (StepState | string)[] = []
  const putScope = (prefix: string, block: string, isOpen: boolean): void => {
    for (const name of plan.scopes.get(block)?.names ?? []) {
      const path = innerPath(prefix, name)
      const step = state.steps.get(path)
      if (step) put(step)
      else if (isOpen) result.push(path)
    }
  }
  const put = (step: StepState): void => {
    result.push(step)
    const isBlock = step.opening?.kind === 'block'
    if (isBlock) putScope(step.path, step.node, !isEnded(step))
    for (const part of parts.get(step.path) ?? []) if (!isBlock || part.role !== 'step') put(part)
  }
  putScope('', '', true)
  return result
}

/** The whole view of a run; null when there is none. */
export const viewRun = async (deps: ViewDeps, ns: string, run: string): Promise<RunView | null> => {
  const head = await deps.store.head(ns, run)
  const loaded = head && (await loadRun(deps, ns, run))
  if (!head || !loaded) return null
  const isAwaited = [...loaded.state.steps.values()].some(({ callback }) => callback !== null)
  const [out, tools, nowMs, spend, secret] = await Promise.all([
    deps.store.out(ns, run),
    deps.tools(),
    deps.store.now(),
    loaded.state.budget ? deps.budgets.ofRun(ns, run) : null,
    isAwaited ? deps.callbackSecret() : null,
  ])
  const context = { plan: loaded.plan, state: loaded.state, out, tools, nowMs, secret }
  return assemble({ head, loaded, context, spend }, (payload) => loadPayload(deps.store, loaded, payload))
}

const loadPayload = async (store: Store, { ns, run }: LoadedRun, payload: Payload | null): Promise<Json> => {
  if (payload === null) return null
  return 'blob' in payload ? store.blob(ns, run, payload.blob) : payload.value
}

interface Assembled {
  head: RunHead
  loaded: LoadedRun
  context: ViewContext
  /** null: the run has no budget. */
  spend: Spend | null
}

const inUsd = ({ tokens, microUsd }: Amount) => ({ tokens, usd: microUsd / 1_000_000 })
const budgetOf = ({ spent, reserved }: Spend) => ({ spent: inUsd(spent), reserved: inUsd(reserved) })

const assemble = async ({ head, loaded: { plan, state }, context, spend }: Assembled, load: Load): Promise<RunView> => {
  const sums = costs(state)
  const steps = await Promise.all(
    ordered(plan, state).map((step) =>
      typeof step === 'string'
        ? pendingView(context, step)
        : stepView(context, step, sums.get(step.path) ?? emptyCost(), load),
    ),
  )
  const reasons = steps.flatMap(({ path, why, status }) => (why && status !== 'pending' ? [{ path, why }] : []))
  return {
    ...summaryOf(head),
    status: state.status,
    version: state.version,
    endedAtMs: state.endedAtMs,
    priority: state.priority,
    input: await load(state.input),
    output: await load(state.output),
    failure: state.failure,
    failedStep: state.failedStep,
    why: whyRun(context, reasons),
    cost: state.cost,
    waste: state.waste,
    ...(state.budget && spend ? { budget: { ...state.budget, ...budgetOf(spend) } } : {}),
    ...(state.parent ? { parent: { run: state.parent.run, path: state.parent.path } } : {}),
    ...(state.deadlineAtMs === null ? {} : { deadlineAtMs: state.deadlineAtMs }),
    steps,
  }
}
