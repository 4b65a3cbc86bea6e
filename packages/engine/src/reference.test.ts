// The engine against the reference: seeded definitions in seeded worlds end as a slow reading of the documentation says
// they must. The same seeds each time, so that a red build is the change's own doing. To look further, any day:
// REFERENCE_FROM=1000000 REFERENCE_SEEDS=20000. One again: REFERENCE_SEED=17, with its journal.
import type { Definition, Event, Json, StepDefinition } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import * as engine from './index.ts'
import { NESTED_LAWS } from './laws/nested.ts'
import { differences, worldSeenIn } from './testing/compare.ts'
import { answerTask, INPUT, randomDefinition } from './testing/definitions.ts'
import { type Fate, fateOf } from './testing/fate.ts'
import { oddsOf, play, random } from './testing/play.ts'
import { interpret } from './testing/reference.ts'
import { shrink } from './testing/shrink.ts'

const SEEDS = Number(process.env.REFERENCE_SEEDS ?? 1_500)
const FROM = Number(process.env.REFERENCE_FROM ?? 1)
const ONE = process.env.REFERENCE_SEED === undefined ? null : Number(process.env.REFERENCE_SEED)

const definitionOf = (seed: number): Definition => randomDefinition(random(seed), { calm: true })

const judge = (definition: Definition, seed: number): { wrong: string[]; events: Event[] } => {
  const rng = random(seed)
  const fate = fateOf(seed)
  const plan = engine.compile(definition, `seed-${seed}`)
  // a turn that is cut short must come to the same
  const mostEvents = 2 + (seed % 7)
  const world = { engine, plan, rng, odds: oddsOf(rng), answer: answerTask, fate, maxSteps: 20_000, mostEvents }
  const played = play(world, INPUT)
  const expected = interpret(definition, INPUT, worldSeenIn(fate, played))
  const laws = [...Object.values(engine.LAWS), ...Object.values(NESTED_LAWS).map((law) => law(plan))]
  const broken = laws.flatMap((law) => law(played.events)).map(({ law, seq, detail }) => `${law} at ${seq}: ${detail}`)
  return { wrong: [...differences(played, expected), ...broken], events: played.events }
}

const isValid = (definition: Definition): boolean => {
  const validation = engine.validate(definition)
  return validation.ok || validation.errors.every(({ code }) => code === 'type_mismatch')
}

/** What is wrong with a seed, with the smallest definition that shows it. */
const findingOf = (seed: number): { wrong: string[]; smallest: Definition } | null => {
  const definition = definitionOf(seed)
  if (judge(definition, seed).wrong.length === 0) return null
  const smallest = shrink(definition, (less) => isValid(less) && judge(less, seed).wrong.length > 0)
  return { wrong: judge(smallest, seed).wrong, smallest }
}

const MOST_FINDINGS = 3

const findings = (from: number, count: number): string[] => {
  const found: string[] = []
  for (let seed = from; seed < from + count && found.length < MOST_FINDINGS; seed += 1) {
    const finding = findingOf(seed)
    if (!finding) continue
    found.push(`seed ${seed}: ${finding.wrong.slice(0, 4).join('; ')}\n${JSON.stringify(finding.smallest.steps)}`)
  }
  return found
}

describe('random definitions', () => {
  it('are valid', () => {
    const refused: unknown[] = []
    for (let seed = FROM; seed < FROM + SEEDS && refused.length < MOST_FINDINGS; seed += 1) {
      for (const calm of [true, false]) {
        const definition = randomDefinition(random(seed), { calm })
        const validation = engine.validate(definition)
        // values of the wrong kind are played on purpose: what runs must cope with them too
        const errors = validation.ok ? [] : validation.errors.filter(({ code }) => code !== 'type_mismatch')
        if (errors.length > 0) refused.push({ seed, errors, steps: definition.steps })
      }
    }
    expect(refused).toEqual([])
  })

  it(`end as the reference says, over ${SEEDS} seeds from ${FROM}`, () => {
    if (ONE !== null) {
      const finding = findingOf(ONE)
      const journal = finding ? judge(finding.smallest, ONE).events.map((event) => JSON.stringify(event)) : []
      expect([...findings(ONE, 1), ...journal].join('\n')).toBe('')
    }
    expect(findings(FROM, SEEDS).join('\n')).toBe('')
  })
})

/** The reference in worlds of one's own: without it, an error of the reference could hide one of the engine. */
describe('the reference reads the documentation', () => {
  const WORKS: Fate = {
    result: (_path, _attempt, given) => ({ ok: given }),
    child: (_path, input) => ({ ok: input }),
    decide: () => 'skip',
    approves: () => true,
    signal: () => null,
  }
  const fails = (...paths: string[]): Fate => ({
    ...WORKS,
    result: (path) => (paths.includes(path) ? { fail: { code: 'bad_request', class: 'permanent' } } : { ok: path }),
  })
  const read = (steps: Record<string, StepDefinition>, fate: Fate = WORKS) =>
    interpret({ name: 'example', steps }, INPUT, { ...fate, seen: () => undefined, cancelled: false })
  const statuses = (steps: Record<string, StepDefinition>, fate?: Fate): Record<string, string> =>
    Object.fromEntries([...read(steps, fate).steps].map(([path, { status }]) => [path, status]))
  const tool = (more: StepDefinition = {}): StepDefinition => ({ tool: 'idempotent_tool', ...more })
  const outputOf = (steps: Record<string, StepDefinition>, fate?: Fate): Json => read(steps, fate).output

  it('skips what needs a skipped step, unless it says needs_any', () => {
    const diamond = (d: StepDefinition) => ({
      a: { value: 1 },
      b: { value: '${{ steps.a.output }}', if: false },
      c: { value: '${{ steps.a.output }}' },
      d,
    })
    expect(statuses(diamond({ value: 2, needs: ['b', 'c'] })).d).toBe('skipped')
    expect(statuses(diamond({ value: 2, needs_any: ['b', 'c'] })).d).toBe('completed')
    expect(statuses(diamond({ value: 2, needs_any: ['b'] })).d).toBe('skipped')
  })

  it('joins', () => {
    const each = (join: 'all' | 'settled' | 'any' | { atLeast: number }, items = [1, 2, 3]) => ({
      s: tool({ each: { in: items, join }, on_failure: 'continue' }),
    })
    const error = { code: 'bad_request', class: 'permanent', message: '*' }
    const broken = fails('s[0]')
    expect(outputOf(each('all'), broken)).toEqual({ s: [null, 's[1]', 's[2]'] })
    expect(outputOf(each('any'), broken)).toEqual({ s: { index: 1, output: 's[1]' } })
    expect(outputOf(each('settled', [1, 2]), broken)).toEqual({
      s: [
        { status: 'failed', output: null, error },
        { status: 'completed', output: 's[1]', error: null },
      ],
    })
    expect(read(each({ atLeast: 3 }), broken).steps.get('s')?.error?.code).toBe('each_failed')
    expect(read(each('any', [])).steps.get('s')?.error?.code).toBe('each_failed')
  })

  it('repeats', () => {
    const repeat = { value: ['${{ previous }}'], repeat: { max: 3 } }
    expect(outputOf({ s: repeat })).toEqual({ s: [[[null]]] })
    const once = { value: 3, repeat: { max: 3, until: '${{ output == 3 }}' } }
    expect(Object.keys(statuses({ s: once }))).toEqual(['s/iter-1', 's'])
  })

  it('lets a failure go outward to the first that says something', () => {
    const inner = (on_failure: StepDefinition['on_failure']) => ({
      b: { steps: { x: tool({ on_failure: 'fail' }), y: tool({ needs: ['x'] }) }, on_failure },
    })
    expect(statuses(inner('continue'), fails('b/x'))).toEqual({ 'b/x': 'failed', b: 'failed' })
    expect(read(inner(undefined), fails('b/x')).status).toBe('failed')
    expect(statuses(inner('escalate'), fails('b/x'))).toEqual({ 'b/x': 'failed', b: 'skipped' })
    const item = { s: { steps: { x: tool() }, each: { in: [1], join: 'settled' as const } } }
    expect(statuses(item, fails('s[0]/x'))).toEqual({ 's[0]/x': 'failed', 's[0]': 'failed', s: 'completed' })
  })

  it('undoes what has completed, newest first', () => {
    const undo = { compensate: { tool: 'idempotent_tool' } }
    const steps = { a: tool(undo), b: tool({ ...undo, needs: ['a'] }), c: tool({ needs: ['b'], on_failure: 'fail' }) }
    const ended = ['a', 'b', 'c']
    const seen = (path: string) => ({ status: path === 'c' ? 'failed' : 'compensated', order: ended.indexOf(path) })
    const run = interpret({ name: 'example', steps }, INPUT, { ...fails('c'), seen, cancelled: false })
    expect(run.status).toBe('failed')
    expect(run.compensations).toEqual(['b/compensate-1', 'a/compensate-1'])
    expect(run.steps.get('a')?.status).toBe('compensated')
  })
})
