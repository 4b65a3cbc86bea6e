// fate: what tasks, children and people do in a seeded world, by path alone. So neither the order of things nor who asks
// (the play of the engine, or the reference interpreter) changes any answer.
import type { Json } from '@stepfleet/contracts'
import { answerTurn } from './definitions.ts'
import type { Answer, Decision, ReferenceWorld } from './reference-values.ts'

export type Fate = Omit<ReferenceWorld, 'seen' | 'cancelled'>

/** A number in [0, 1) from a text: FNV-1a, and a finalizer that spreads neighbours. */
const draw = (text: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

const given = (input: Json): Json | undefined =>
  typeof input === 'object' && input !== null && !Array.isArray(input) ? input.x : undefined

/** How many attempts fail, and how: most tasks just work. */
const mishap = (of: string): { attempts: number; fail: Extract<Answer, { fail: unknown }>['fail'] } => {
  const attempts = 1 + Math.floor(draw(`${of} attempts`) * 3)
  const kind = draw(`${of} kind`)
  if (kind < 0.1) return { attempts, fail: { code: 'bad_request', class: 'permanent' } }
  if (kind < 0.15) return { attempts, fail: { code: 'outcome_unknown', class: 'ambiguous' } }
  if (kind < 0.4) return { attempts, fail: { code: 'provider_error', class: 'transient' } }
  return { attempts: 0, fail: { code: 'provider_error', class: 'transient' } }
}

/** Half of the tasks that were given an `x` answer with it, so that what they are given shows; the others with a number. */
const answer = (of: string, input: Json): Json => {
  const x = given(input)
  return x !== undefined && draw(`${of} echo`) < 0.5 ? x : Math.floor(draw(`${of} number`) * 5)
}

const decide = (of: string, path: string, asked: boolean, nth: number): Decision => {
  const choice = draw(`${of} decides`)
  const isTurn = /\/turn-\d+\/llm$/.test(path)
  const isCompensation = /\/compensate-\d+/.test(path)
  if (asked && nth < 4 && choice < 0.3) return 'retry'
  // a turn cannot be skipped; a compensation is undone, or let be
  if (choice < 0.55 && !isTurn) return 'skip'
  if (choice < 0.75 && !isCompensation) return 'fail'
  return { override: Math.floor(draw(`${of} override`) * 5) }
}

/** The fate of a seed. */
export const fateOf = (seed: number): Fate => ({
  result: (path, attempt, input) => {
    const of = `${seed} ${path}`
    const { attempts, fail } = mishap(of)
    if (attempt <= attempts) return { fail }
    return { ok: answerTurn(path) ?? answer(of, input) }
  },
  child: (path, input) => {
    const of = `${seed} ${path}`
    const choice = draw(`${of} child`)
    if (choice < 0.1) return { fail: { code: 'child_failed', class: 'permanent' } }
    if (choice < 0.16) return { fail: { code: 'child_cancelled', class: 'permanent' } }
    if (choice < 0.22) return { fail: { code: 'child_refused', class: 'permanent' } }
    return { ok: answer(of, input) }
  },
  decide: (path, nth, asked) => decide(`${seed} ${path} ${nth}`, path, asked, nth),
  approves: (path) => draw(`${seed} ${path} approved`) < 0.7,
  signal: () => 7,
})
