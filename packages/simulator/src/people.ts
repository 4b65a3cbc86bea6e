// People: what they answer to approvals, gates and escalated steps, each answer once at each path.
import { parseDurationMs } from '@stepfleet/contracts'
import { InvalidOptions } from './errors.ts'
import type { ApprovalAnswer, CaseAnswer, PersonAnswer } from './options.ts'

const ACTIONS = ['retry', 'skip', 'override', 'fail']

const isList = (given: PersonAnswer | readonly PersonAnswer[]): given is readonly PersonAnswer[] => Array.isArray(given)
const asList = (given: PersonAnswer | readonly PersonAnswer[]): readonly PersonAnswer[] =>
  isList(given) ? given : [given]

const isApproval = (answer: PersonAnswer): answer is ApprovalAnswer => 'approved' in answer

/** Milliseconds of a duration option. */
export const durationOption = (text: string | undefined, place: string): number => {
  const ms = text === undefined ? 0 : parseDurationMs(text)
  if (ms === null) throw new InvalidOptions(`${place}: ${text} is no duration, like 500ms, 30s, 2h`)
  return ms
}

const checkAnswer = (answer: PersonAnswer, place: string): void => {
  if (isApproval(answer) === 'action' in answer) {
    throw new InvalidOptions(`${place} says either approved: true or false, or an action of ${ACTIONS.join(', ')}`)
  }
  if (!isApproval(answer) && !ACTIONS.includes(answer.action)) {
    throw new InvalidOptions(`${place}: action is one of ${ACTIONS.join(', ')}`)
  }
  if (!isApproval(answer) && answer.action === 'override' && answer.output === undefined) {
    throw new InvalidOptions(`${place}: an override needs its output`)
  }
  durationOption(answer.after, `${place}.after`)
}

export class People {
  readonly #answers: Readonly<Record<string, PersonAnswer | readonly PersonAnswer[]>>
  /** Answers given, by name, sort and path. */
  readonly #given = new Map<string, number>()
  readonly #used = new Set<string>()

  constructor(answers: Readonly<Record<string, PersonAnswer | readonly PersonAnswer[]>>) {
    this.#answers = answers
    for (const [key, given] of Object.entries(answers)) {
      for (const answer of asList(given)) checkAnswer(answer, `people.${key}`)
    }
  }

  get keys(): string[] {
    return Object.keys(this.#answers)
  }

  get unused(): string[] {
    return this.keys.filter((key) => !this.#used.has(key))
  }

  approval(names: readonly string[], path: string): ApprovalAnswer | null {
    return this.#next(names, `approval ${path}`, isApproval)
  }

  resolution(names: readonly string[], path: string): CaseAnswer | null {
    return this.#next(names, `case ${path}`, (answer): answer is CaseAnswer => !isApproval(answer))
  }

  #next<T extends PersonAnswer>(
    names: readonly string[],
    about: string,
    isOfSort: (answer: PersonAnswer) => answer is T,
  ): T | null {
    const key = names.find((name) => Object.hasOwn(this.#answers, name))
    const given = key === undefined ? undefined : this.#answers[key]
    if (key === undefined || given === undefined) return null
    const times = this.#given.get(`${key} ${about}`) ?? 0
    this.#given.set(`${key} ${about}`, times + 1)
    const answer = asList(given).filter(isOfSort)[times]
    if (answer) this.#used.add(key)
    return answer ?? null
  }
}
