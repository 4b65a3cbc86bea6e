// Random definitions of all kinds and modifiers, nested: small enough to end and wild enough to collide. Their
// expressions use only the forms that the reference interpreter reads (reference-values.ts).
import type { Definition, Json, StepDefinition, Task } from '@stepfleet/contracts'

export type Rng = () => number

/** How wild: `calm` leaves out what depends on the time things take, so that a run can only end one way. */
export interface Wildness {
  calm: boolean
}

/** What a step may mention where it stands. */
interface Place {
  /** Steps of its scope and around it that stand before it, innermost last. */
  seen: readonly string[]
  /** Those of its own scope. */
  before: readonly string[]
  /** `input.n`, `item`, `index`, `previous`: those that are known. */
  vars: readonly string[]
  /** Blocks around it. */
  depth: number
  /** Items around it. */
  items: number
}

interface Maker extends Wildness {
  rng: Rng
  /** Steps so far: their names must not repeat, and their number is bounded. */
  count: number
}

const MODEL = 'anthropic/claude-haiku-5-5'
const OTHERS = ['anthropic/claude-sonnet-5-5', 'anthropic/claude-opus-5-5']
const DEEPEST = 3
const MOST_STEPS = 12

const pick = <T>(rng: Rng, list: readonly [T, ...T[]]): T => list[Math.floor(rng() * list.length)] ?? list[0]
const anyOf = (rng: Rng, list: readonly string[]): string | undefined => list[Math.floor(rng() * list.length)]
const maybe = <T extends object>(rng: Rng, odds: number, part: () => T): T | Record<never, never> =>
  rng() < odds ? part() : {}

const wrap = (code: string): string => `\${{ ${code} }}`

/** A value: an expression of what is known here, or a constant. */
const operand = (rng: Rng, place: Place): Json => {
  const step = anyOf(rng, place.seen)
  if (step !== undefined && rng() < 0.6) return wrap(`steps.${step}.${rng() < 0.85 ? 'output' : 'status'}`)
  const name = anyOf(rng, place.vars)
  if (name !== undefined && rng() < 0.8) return wrap(name)
  return Math.floor(rng() * 4)
}

const condition = (rng: Rng, place: Place): string => {
  const step = anyOf(rng, place.seen)
  if (step !== undefined && rng() < 0.6) {
    return wrap(rng() < 0.5 ? `steps.${step}.output == 3` : `steps.${step}.status == "completed"`)
  }
  return wrap(`${anyOf(rng, place.vars) ?? 'input.n'} == 1`)
}

const value = (rng: Rng, place: Place): Json => {
  const one = operand(rng, place)
  return pick<Json>(rng, [one, { from: one }, [one, operand(rng, place)]])
}

/** One in six is a callback: told of, or only handed over. */
const toolOf = (rng: Rng, x: Json): { tool: string; with?: Record<string, Json> } => {
  const kind = rng()
  if (kind < 1 / 12) return { tool: 'callback' }
  if (kind < 1 / 6) return { tool: 'callback', with: { url: 'https://x.example', body: { x } } }
  return { tool: pick(rng, ['read_tool', 'idempotent_tool', 'once_tool']), with: { x } }
}

const child = (rng: Rng, place: Place): StepDefinition => {
  if (rng() < 0.3) return { run: 'other' }
  return {
    run: {
      workflow: 'other@1',
      ...maybe(rng, 0.7, () => ({ input: { x: operand(rng, place) } })),
      ...maybe(rng, 0.2, () => ({ detach: true })),
    },
  }
}

const moreModels = (rng: Rng): { fallback?: string[] } =>
  maybe(rng, 0.3, () => ({ fallback: OTHERS.slice(0, pick(rng, [1, 2])) }))

/** What an agent may use; `ask` is a callback. */
const TOOLS = [
  'read_tool',
  'once_tool',
  { name: 'ask', description: 'asks somebody outside', input: { type: 'object' }, tool: 'callback' },
]

const agent = (rng: Rng, place: Place): StepDefinition => ({
  agent: {
    model: MODEL,
    ...moreModels(rng),
    prompt: `do ${String(operand(rng, place))}`,
    tools: TOOLS,
    max_turns: pick(rng, [2, 6]),
  },
})

const block = (maker: Maker, place: Place): StepDefinition => {
  const { rng } = maker
  const inner = { ...place, before: [], depth: place.depth + 1 }
  const steps = stepsOf(maker, inner, 1 + Math.floor(rng() * 3))
  const names = Object.keys(steps)
  return { steps, ...maybe(rng, 0.4, () => ({ output: value(rng, { ...inner, seen: [...place.seen, ...names] }) })) }
}

const KINDS = ['value', 'llm', 'agent', 'approval', 'wait', 'signal', 'run', 'tool', 'tool', 'steps', 'steps'] as const
type Kind = (typeof KINDS)[number]

const bodyOf = (maker: Maker, kind: Kind, place: Place): StepDefinition => {
  const { rng, calm } = maker
  switch (kind) {
    case 'value':
      return { value: value(rng, place) }
    case 'llm':
      return { llm: { model: MODEL, ...moreModels(rng), prompt: `say ${String(operand(rng, place))}` } }
    case 'agent':
      return agent(rng, place)
    case 'approval':
      return { approval: { show: operand(rng, place), ...maybe(rng, calm ? 0 : 0.5, () => ({ expires: '1h' })) } }
    case 'wait':
      return { wait: '10m' }
    case 'signal':
      return { signal: { name: 'go', ...maybe(rng, calm ? 0 : 0.5, () => ({ timeout: '5m' })) } }
    case 'run':
      return child(rng, place)
    case 'steps':
      return block(maker, place)
    case 'tool':
      return toolOf(rng, operand(rng, place))
  }
}

/** A condition on the output of an iteration. An order is only asked of what is sure to be a number. */
const untilOf = (rng: Rng, kind: Kind, onFailure: StepDefinition['on_failure']): string => {
  const isNumber = kind === 'llm' && onFailure !== undefined && onFailure !== 'escalate'
  return isNumber && rng() < 0.6 ? wrap('output >= 2') : wrap('output == 3')
}

const joinOf = (rng: Rng): NonNullable<Exclude<StepDefinition['each'], string | undefined>['join']> =>
  pick(rng, ['all', 'all', 'settled', 'any', { atLeast: 2 }])

const itemsOf = (rng: Rng, place: Place): Json[] | string => {
  const step = anyOf(rng, place.seen)
  if (step !== undefined && rng() < 0.15) return wrap(`steps.${step}.output`)
  return pick<Json[] | string>(rng, [[1, 2, 3], [1, 2], [3, 1, 2, 0], [], wrap('input.list')])
}

/** A race that can never be won is refused where the list is written out. */
const canBeMet = (items: Json[] | string, join: ReturnType<typeof joinOf>): boolean =>
  typeof items === 'string' ||
  items.length >= (join === 'any' ? 1 : typeof join === 'object' ? (join?.atLeast ?? 0) : 0)

const eachOf = (rng: Rng, place: Place, as: string): NonNullable<StepDefinition['each']> => {
  const join = rng() < 0.8 ? joinOf(rng) : null
  const items = itemsOf(rng, place)
  return {
    in: join === null || canBeMet(items, join) ? items : wrap('input.list'),
    ...(as === 'item' ? {} : { as }),
    ...maybe(rng, 0.6, () => ({ concurrency: pick(rng, [1, 2, 10]) })),
    ...(join === null ? {} : { join }),
  }
}

const onFailureOf = (rng: Rng): NonNullable<StepDefinition['on_failure']> =>
  pick(rng, ['fail', 'fail', 'continue', 'escalate', { use: pick<Json>(rng, [0, 3, 'used', ['used']]) }])

const compensationOf = (rng: Rng, place: Place): NonNullable<StepDefinition['compensate']> => {
  const x = rng() < 0.6 ? wrap('output') : operand(rng, place)
  if (rng() < 0.25) return { run: { workflow: 'undo', input: { x } } }
  return toolOf(rng, x)
}

/** What is done in place of a step. */
const fallbackOf = (rng: Rng, place: Place): NonNullable<StepDefinition['fallback']> => {
  const x = operand(rng, place)
  return pick<() => NonNullable<StepDefinition['fallback']>>(rng, [
    () => ({ value: x }),
    () => toolOf(rng, x),
    () => ({ run: { workflow: 'other', input: { x } } }),
    () => ({ llm: { model: MODEL, prompt: 'instead' } }),
    () => ({ agent: { model: MODEL, prompt: 'instead', tools: TOOLS } }),
  ])()
}

const CAN_FALL_BACK: ReadonlySet<Kind> = new Set(['llm', 'agent', 'tool', 'run', 'steps', 'value'])

/** Limits of the fleet never change how a run ends: each key is its own, or a block could wait for itself. */
const limitsOf = (rng: Rng, key: string): StepDefinition => ({
  ...maybe(rng, 0.08, () => ({ concurrency: { key: `${key} ${wrap('input.n')}`, limit: pick(rng, [1, 2]) } })),
  ...maybe(rng, 0.06, () => ({ rate: { key, limit: pick(rng, [1, 3]), per: '10s' } })),
})

/** What only some kinds take. */
const modifiersOf = ({ rng, calm }: Maker, kind: Kind, inner: Place, key: string): StepDefinition => {
  const runsTask = kind === 'llm' || kind === 'tool'
  return {
    ...maybe(rng, runsTask ? 0.4 : 0, () => ({ retry: { attempts: pick(rng, [1, 2, 3]), initial: '1s' } })),
    ...maybe(rng, runsTask ? 0.12 : 0, () => ({ gate: true })),
    ...maybe(rng, kind === 'tool' || kind === 'run' ? 0.5 : 0, () => ({ compensate: compensationOf(rng, inner) })),
    ...(runsTask || kind === 'run' ? limitsOf(rng, key) : {}),
    ...maybe(rng, CAN_FALL_BACK.has(kind) ? 0.2 : 0, () => ({ fallback: fallbackOf(rng, inner) })),
    ...maybe(rng, kind === 'llm' ? 0.3 : 0, () => ({ confidence: { min: 1, from: wrap('output') } })),
    ...maybe(rng, calm || kind === 'value' ? 0 : 0.1, () => ({ deadline: pick(rng, ['1d', '8m']) })),
    ...maybe(rng, calm || kind !== 'llm' ? 0 : 0.3, () => ({ cache: { ttl: '1h' } })),
  }
}

/** Modifiers around the body: which there are is drawn before it, as they say what it may mention. */
const stepOf = (maker: Maker, place: Place, name: string): StepDefinition => {
  const { rng } = maker
  const full = place.depth >= DEEPEST || maker.count >= MOST_STEPS
  const drawn = pick(rng, KINDS)
  const kind = full && drawn === 'steps' ? 'tool' : drawn
  const onFailure = rng() < 0.45 ? onFailureOf(rng) : undefined
  const as = place.items === 0 ? 'item' : `item${place.items}`
  const inEach = rng() < 0.25
  const inRepeat = rng() < 0.2
  const inner: Place = {
    ...place,
    vars: [...place.vars, ...(inEach ? [as, 'index'] : []), ...(inRepeat ? ['previous'] : [])],
    items: place.items + (inEach ? 1 : 0),
  }
  return {
    ...bodyOf(maker, kind, inner),
    ...maybe(rng, 0.2, () => ({ needs: place.before.filter(() => rng() < 0.4) })),
    ...maybe(rng, place.before.length > 0 ? 0.15 : 0, () => ({ needs_any: place.before.slice(-2) })),
    ...maybe(rng, 0.2, () => ({ if: condition(rng, place) })),
    ...(inEach ? { each: eachOf(rng, place, as) } : {}),
    ...(inRepeat ? { repeat: repeatOf(rng, kind, onFailure) } : {}),
    ...(onFailure === undefined ? {} : { on_failure: onFailure }),
    ...modifiersOf(maker, kind, inner, name),
  }
}

const repeatOf = (
  rng: Rng,
  kind: Kind,
  onFailure: StepDefinition['on_failure'],
): NonNullable<StepDefinition['repeat']> => ({
  max: pick(rng, [1, 2, 3]),
  ...maybe(rng, 0.7, () => ({
    until: untilOf(rng, kind, onFailure),
    ...maybe(rng, 0.3, () => ({ on_max: pick(rng, ['fail', 'complete']) })),
  })),
})

const stepsOf = (maker: Maker, place: Place, most: number): Record<string, StepDefinition> => {
  const steps: Record<string, StepDefinition> = {}
  for (let index = 0; index < most; index += 1) {
    const name = `s${maker.count}`
    maker.count += 1
    const before = Object.keys(steps)
    steps[name] = stepOf(maker, { ...place, before, seen: [...place.seen, ...before] }, name)
  }
  return steps
}

/** A definition of 1 to 6 steps at the top and some 15 in all; its input is {@link INPUT}. */
export const randomDefinition = (rng: Rng, { calm }: Wildness = { calm: false }): Definition => {
  const maker = { rng, calm, count: 0 }
  const place = { seen: [], before: [], vars: ['input.n'], depth: 0, items: 0 }
  return { name: 'random', steps: stepsOf(maker, place, 1 + Math.floor(rng() * 6)) }
}

/** The input that random definitions mention. */
export const INPUT: Json = { n: 1, list: [2, 3] }

const turnOf = (path: string): number | null => {
  const turn = /\/turn-(\d+)\/llm$/.exec(path)?.[1]
  return turn === undefined ? null : Number(turn)
}

/** An agent's answers: tools for two turns, first two of them side by side, then an answer. Null: no model call of an agent. */
export const answerTurn = (path: string): Json => {
  const turn = turnOf(path)
  if (turn === null) return null
  const use = (id: string, name: string): Json => ({ id: `${path}-${id}`, name, input: { x: turn } })
  if (turn >= 3) return { content: [], text: 'done', toolUses: [] }
  return {
    content: [],
    text: '',
    toolUses: turn === 1 ? [use('a', 'read_tool'), use('b', 'once_tool')] : [use('c', 'ask')],
  }
}

/** What a worker answers: an agent's turn, or where the task came from. */
export const answerTask = (task: Task): Json => answerTurn(task.path) ?? { answered: task.path }
