// Random definitions of all kinds and modifiers of this release, small enough to end and wild enough to collide.
import type { Definition, Json, StepDefinition, Task } from '@stepfleet/contracts'

const pick = <T>(rng: () => number, list: readonly [T, ...T[]]): T => list[Math.floor(rng() * list.length)] ?? list[0]

const bodyOf = (rng: () => number, before: readonly string[]): StepDefinition => {
  const seen =
    before.length > 0 && rng() < 0.7
      ? `\${{ steps.${pick(rng, [before[0] ?? '', ...before.slice(1)])}.output }}`
      : 'text'
  switch (Math.floor(rng() * 9)) {
    case 0:
      return { value: { from: seen } }
    case 1:
      return { llm: { model: 'anthropic/claude-haiku-5-5', prompt: `say ${seen}` } }
    case 2:
      return {
        agent: {
          model: 'anthropic/claude-haiku-5-5',
          prompt: `do ${seen}`,
          tools: ['read_tool', 'once_tool'],
          max_turns: 6,
        },
      }
    case 3:
      return { approval: { show: seen, ...(rng() < 0.5 ? { expires: '1h' } : {}) } }
    case 4:
      return { wait: '10m', needs: [...before.slice(-1)] }
    case 5:
      return { signal: { name: 'go', ...(rng() < 0.5 ? { timeout: '5m' } : {}) } }
    default: {
      const tool = pick(rng, ['read_tool', 'idempotent_tool', 'once_tool'])
      return { tool, with: { x: seen } }
    }
  }
}

const modify = (rng: () => number, step: StepDefinition, before: readonly string[]): StepDefinition => {
  const modified: StepDefinition = { ...step }
  const runsTask = step.llm !== undefined || step.tool !== undefined
  if (rng() < 0.25) modified.needs = before.filter(() => rng() < 0.4)
  if (rng() < 0.15) modified.if = rng() < 0.5 ? '${{ 1 < 2 }}' : '${{ 1 > 2 }}'
  if (rng() < 0.3) modified.on_failure = pick(rng, ['fail', 'continue', 'escalate'])
  if (rng() < 0.25 && step.approval === undefined && step.signal === undefined) {
    modified.each = { in: [1, 2, 3], concurrency: pick(rng, [1, 2, 10]), join: pick(rng, ['all', 'settled']) }
  }
  if (runsTask && rng() < 0.3) modified.retry = { attempts: 2, initial: '1s' }
  if (runsTask && rng() < 0.15) modified.gate = true
  if (rng() < 0.1) modified.deadline = '1d'
  return modified
}

/** A definition of 1 to 7 steps. */
export const randomDefinition = (rng: () => number): Definition => {
  const steps: Record<string, StepDefinition> = {}
  const names: string[] = []
  const count = 1 + Math.floor(rng() * 7)
  for (let index = 0; index < count; index += 1) {
    steps[`s${index}`] = modify(rng, bodyOf(rng, names), names)
    names.push(`s${index}`)
  }
  return { name: 'random', steps }
}

/** An agent that calls its tools for up to three turns, once two of them side by side, and then answers. */
export const answerTask = (task: Task): Json => {
  const input = 'value' in task.input ? task.input.value : null
  const agent = input !== null && typeof input === 'object' && !Array.isArray(input) ? input.agent : undefined
  if (task.kind !== 'llm' || agent === undefined) return { answered: task.path }
  const turn =
    agent !== null && typeof agent === 'object' && !Array.isArray(agent) && typeof agent.turn === 'number'
      ? agent.turn
      : 1
  const use = (id: string, name: string): Json => ({ id: `${task.path}-${id}`, name, input: { x: turn } })
  if (turn >= 3) return { content: [], text: 'done', toolUses: [] }
  return {
    content: [],
    text: '',
    toolUses: turn === 1 ? [use('a', 'read_tool'), use('b', 'once_tool')] : [use('c', 'read_tool')],
  }
}
