// Mocks: finds what stands in for a worker, and asks it.
import { FAILURE_CODES, type Failure, type FailureCode, failure, type Json } from '@stepfleet/contracts'
import { InvalidOptions } from './errors.ts'
import type { FailWith, Mock, MockCall, MockFunction } from './options.ts'

/** What a mock said. */
export type Said =
  | { kind: 'value'; value: Json }
  | { kind: 'failure'; failure: Failure }
  | { kind: 'tools'; text: string; uses: { id: string; name: string; input: Json }[] }
  /** The last turn of an agent, given as the text of the answer. */
  | { kind: 'text'; text: string }

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const hasOnly = <K extends string>(value: unknown, key: K): value is Record<K, unknown> =>
  isRecord(value) && key in value && Object.keys(value).length === 1

const isCode = (value: unknown): value is FailureCode =>
  typeof value === 'string' && Object.hasOwn(FAILURE_CODES, value)

const isFailWith = (value: unknown): value is FailWith => isCode(value) || (isRecord(value) && isCode(value.code))

/** A failure as a mock or fault says it. */
export const failureOf = (given: FailWith): Failure =>
  typeof given === 'string'
    ? failure(given, `mocked failure ${given}`)
    : failure(given.code, given.message ?? `mocked failure ${given.code}`, given)

const isFunction = (mock: unknown): mock is MockFunction => typeof mock === 'function'
const isSequence = (mock: unknown): mock is { sequence: Mock[] } =>
  hasOnly(mock, 'sequence') && Array.isArray(mock.sequence)
const isTurns = (mock: unknown): mock is { turns: Mock[] } => hasOnly(mock, 'turns') && Array.isArray(mock.turns)

interface ToolTurn {
  text?: string
  toolUses: { name: string; input?: Json; id?: string }[]
}
const isToolTurn = (value: unknown): value is ToolTurn => isRecord(value) && Array.isArray(value.toolUses)

/** Checks a mock as far as it can be seen without calling it. */
const checkMock = (key: string, mock: Mock): void => {
  if (mock === undefined) throw new InvalidOptions(`mocks.${key} is undefined; for no output give null`)
  if (isSequence(mock)) {
    if (mock.sequence.length === 0) throw new InvalidOptions(`mocks.${key}: the sequence is empty`)
    for (const one of mock.sequence) checkMock(key, one)
  }
  if (isTurns(mock)) {
    if (mock.turns.length === 0) throw new InvalidOptions(`mocks.${key}: there are no turns`)
    for (const one of mock.turns) checkMock(key, one)
  }
  if (hasOnly(mock, 'fail') && !isFailWith(mock.fail)) {
    const said = JSON.stringify(mock.fail)
    throw new InvalidOptions(
      `mocks.${key}: ${said} is no failure code; an output that looks like this is given by a function`,
    )
  }
}

const toolTurn = (given: ToolTurn, turn: number): Said => ({
  kind: 'tools',
  text: given.text ?? '',
  uses: given.toolUses.map(({ id, name, input }, index) => ({
    id: id ?? `use_${turn}_${index}`,
    name,
    input: input ?? {},
  })),
})

export class Mocks {
  readonly #mocks: Readonly<Record<string, Mock>>
  /** Calls of each sequence so far. */
  readonly #calls = new Map<unknown, number>()
  readonly #used = new Set<string>()

  constructor(mocks: Readonly<Record<string, Mock>>) {
    this.#mocks = mocks
    for (const [key, mock] of Object.entries(mocks)) checkMock(key, mock)
  }

  get keys(): string[] {
    return Object.keys(this.#mocks)
  }

  get unused(): string[] {
    return this.keys.filter((key) => !this.#used.has(key))
  }

  /** True when one of the names is mocked. */
  has(names: readonly string[]): boolean {
    return names.some((name) => Object.hasOwn(this.#mocks, name))
  }

  /** What the mock of the first of the names says; null: none of them is mocked. */
  async ask(names: readonly string[], call: MockCall): Promise<Said | null> {
    const key = names.find((name) => Object.hasOwn(this.#mocks, name))
    if (key === undefined) return null
    this.#used.add(key)
    return this.#say(key, this.#mocks[key] ?? null, call)
  }

  async #say(key: string, mock: Mock, call: MockCall): Promise<Said> {
    const { turn } = call
    if (isFunction(mock)) {
      const given = await mock(call)
      if (hasOnly(given, 'fail') && isFailWith(given.fail)) return { kind: 'failure', failure: failureOf(given.fail) }
      if (turn !== undefined && isToolTurn(given)) return toolTurn(given, turn)
      if (given === undefined) throw new InvalidOptions(`mocks.${key} gave undefined; for no output give null`)
      return { kind: 'value', value: plain(given) }
    }
    if (hasOnly(mock, 'fail') && isFailWith(mock.fail)) return { kind: 'failure', failure: failureOf(mock.fail) }
    if (isSequence(mock)) return this.#say(key, this.#next(mock), call)
    if (isTurns(mock)) return this.#turn(key, mock.turns, call)
    if (turn !== undefined && isToolTurn(mock)) return toolTurn(mock, turn)
    return { kind: 'value', value: plain(mock) }
  }

  #next(mock: { sequence: Mock[] }): Mock {
    const calls = this.#calls.get(mock) ?? 0
    this.#calls.set(mock, calls + 1)
    return mock.sequence[Math.min(calls, mock.sequence.length - 1)] ?? null
  }

  async #turn(key: string, turns: readonly Mock[], call: MockCall): Promise<Said> {
    const { turn } = call
    if (turn === undefined) throw new InvalidOptions(`mocks.${key} has turns, but ${call.path} is no agent`)
    const given = turns[turn - 1]
    if (given === undefined) {
      throw new InvalidOptions(`mocks.${key} has ${turns.length} turns, but ${call.path} asks for another`)
    }
    if (hasOnly(given, 'text') && typeof given.text === 'string') return { kind: 'text', text: given.text }
    return this.#say(key, given, call)
  }
}

/** What JSON makes of it, so that a test cannot hand in what no worker could report. */
const plain = (value: unknown): Json => {
  const text = JSON.stringify(value)
  if (text === undefined) throw new InvalidOptions('a mock must give JSON')
  return JSON.parse(text)
}
