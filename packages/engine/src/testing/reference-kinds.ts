// What tasks, children and agents do, as the reference interpreter reads it.
import type { Json, StepDefinition } from '@stepfleet/contracts'
import {
  escalates,
  type Failed,
  failed,
  type Machine,
  mayGoOn,
  ok,
  part,
  type Raw,
  record,
  type Spot,
} from './reference-parts.ts'
import { ANY, type Env, isMap, render } from './reference-values.ts'

/** Tools of random definitions whose answer comes from outside; `ask` is an agent's. */
const CALLBACKS: ReadonlySet<string> = new Set(['callback', 'ask'])

/** Random definitions name their tools by their effect. */
export const effectOf = (tool: string): string => (CALLBACKS.has(tool) ? 'idempotent' : tool.replace('_tool', ''))

/** As declared; a declared retry says no more than that there is one. */
export const attemptsOf = ({ retry }: StepDefinition): number | undefined => retry && (retry.attempts ?? 5)

export const task = (
  m: Machine,
  path: string,
  given: Json,
  how: { effect: string; attempts?: number | undefined; models?: number; onModel?: (model: number) => void },
): Raw => {
  const most = how.attempts ?? (how.effect === 'once' ? 1 : 5)
  let model = 1
  for (let used = 1; ; used += 1) {
    const attempt = (m.attempts.get(path) ?? 0) + 1
    m.attempts.set(path, attempt)
    const answer = m.world.result(path, attempt, given)
    if ('ok' in answer) return ok(answer.ok)
    const kind = answer.fail.class
    const mayRepeat = kind === 'transient' || (kind === 'ambiguous' && how.effect !== 'once')
    if (mayRepeat && used < most) continue
    const raw: Failed = { status: 'failed', cause: answer.fail }
    if (model >= (how.models ?? 1) || !mayGoOn(raw)) return raw
    how.onModel?.(model)
    model += 1
    used = 0
  }
}

export const child = (m: Machine, path: string, run: NonNullable<StepDefinition['run']>, env: Env): Raw => {
  if (typeof run === 'object' && run.detach) return ok({ run: ANY })
  const answer = m.world.child(path, typeof run === 'object' ? render(run.input, env) : null)
  return 'ok' in answer ? ok(answer.ok) : { status: 'failed', cause: answer.fail }
}

/** One tool use: the model reads of its failure, unless it may have happened and must not happen again. */
const toolUse = (m: Machine, path: string, use: Json): void => {
  const name = isMap(use) ? String(use.name) : ''
  const effect = effectOf(name)
  const asks = (raw: Failed): boolean => !raw.decided && (effect === 'once' || raw.cause.class === 'ambiguous')
  // who answers from outside is told nothing here
  const given = isMap(use) && !CALLBACKS.has(name) ? (use.input ?? null) : null
  record(
    m,
    path,
    part(m, path, asks, () => task(m, path, given, { effect })),
  )
}

export const agent = (m: Machine, { step, path, policy, env }: Spot): Raw => {
  const isTaken = env.replaced || step.fallback !== undefined
  const all = 1 + (step.agent?.fallback?.length ?? 0)
  for (let turn = 1; turn <= (step.agent?.max_turns ?? 20); turn += 1) {
    const at = `${path}/turn-${turn}/llm`
    let model = 0
    const call = part(m, at, escalates(policy, isTaken), () => {
      const from = m.models.get(path) ?? 0
      model = from
      const onModel = (nth: number): void => {
        model = from + nth
      }
      return task(m, at, null, { effect: 'read', attempts: attemptsOf(step), models: all - from, onModel })
    })
    // the agent stays with the model that answered
    if (call.status === 'completed') m.models.set(path, model)
    record(m, at, call)
    if (call.status === 'failed') return call
    const answer = isMap(call.output) && Array.isArray(call.output.toolUses) ? call.output : null
    if (!answer || !Array.isArray(answer.toolUses)) {
      return ok(typeof call.output === 'string' ? call.output : JSON.stringify(call.output))
    }
    if (answer.toolUses.length === 0) return ok(answer.text ?? null)
    for (const [index, use] of answer.toolUses.entries()) toolUse(m, `${path}/turn-${turn}/tool-${index}`, use)
  }
  return failed('max_turns_exceeded')
}
