// code: a run whose steps are asked for by code, which is played by a list of what it asks for after so many ends.
import type { Definition, Event, Json, StepDefinition } from '@stepfleet/contracts'
import { decide } from '../decide/decide.ts'
import { compileCode } from '../definition/compile-code.ts'
import type { Plan } from '../definition/plan.ts'
import { accept } from '../index.ts'
import { fold } from '../state/fold.ts'
import { fromSnapshot, revive, toSnapshot } from '../state/snapshot.ts'
import { createState, type RunState } from '../state/state.ts'
import { type CodeAnswer, createTurn, type Values } from '../turn.ts'

const DEFINITION: Definition = { name: 'flow', steps: {} }
const BUNDLE = { hash: 'b', bundle: 'text' }
const ENGINE = { kind: 'engine', id: 'e_1' } as const
const VALUES: Values = {
  load: (payload) => ('value' in payload ? payload.value : undefined),
  pack: (value) => ({ value }),
  digest: (text) => text,
}

export interface Played {
  plan: Plan
  state: RunState
  events: Event[]
  /** `fromSeq` of every question. */
  asked: number[]
}

export type Script = (told: number) => Pick<CodeAnswer, 'asked' | 'state'>
export const WAITING = { status: 'waiting' } as const

export const begin = (): Played => ({
  plan: compileCode(DEFINITION, 'h', BUNDLE),
  state: createState('default', 'r1'),
  events: [],
  asked: [],
})

/** One command through the engine; the script says what the code does once it was told of so many ends. */
export const give = (played: Played, script: Script, start: boolean): void => {
  const { plan, state } = played
  const turn = createTurn({ plan, state, nowMs: 5, actor: ENGINE, command: 'c', values: VALUES, tools: new Map() })
  const base = { id: 'c', ns: 'default', run: 'r1', by: ENGINE }
  if (start) {
    const workflow = { name: 'flow', version: 1, hash: 'h' }
    accept(turn, { ...base, type: 'start', workflow, input: { value: null }, labels: {}, priority: 3, env: {} })
  } else accept(turn, { ...base, type: 'wake' })
  decide(turn)
  for (let { question } = turn.code; question; { question } = turn.code) {
    played.asked.push(question.fromSeq)
    turn.code.question = null
    turn.code.answer = { toSeq: question.toSeq, replayed: question.fromSeq === 0, ...script(state.topEnds.length) }
    decide(turn)
  }
  played.events.push(...turn.events)
}

export const value = (name: string, of: Json): { name: string; step: StepDefinition } => ({ name, step: { value: of } })
export const wait = (name: string): { name: string; step: StepDefinition } => ({ name, step: { wait: '1h' } })
export const types = ({ events }: Played): string[] => events.map((event) => event.type)

/** Another process: the state out of its snapshot or its journal, a plan that has learnt what was asked for. */
export const reload = (played: Played, from: 'snapshot' | 'journal'): Played => {
  const fresh = { ...played, ...begin(), events: played.events, asked: played.asked }
  if (from === 'journal') for (const event of played.events) fold(fresh.state, event)
  else fresh.state = fromSnapshot(toSnapshot(played.state)) ?? fresh.state
  for (const [name, payload] of fresh.state.asked) {
    if ('value' in payload) fresh.plan.code?.learn(name, payload.value as StepDefinition)
  }
  fresh.state = revive(fresh.plan, fresh.state)
  return fresh
}
