// The laws, asked of thousands of random histories.
import { describe, expect, it } from 'vitest'
import * as engine from './index.ts'
import { NESTED_LAWS } from './laws/nested.ts'
import { answerTask, INPUT, randomDefinition } from './testing/definitions.ts'
import { oddsOf, play, random } from './testing/play.ts'

const SEEDS = 2_000

const playSeed = (seed: number) => {
  const rng = random(seed)
  const definition = randomDefinition(rng)
  const plan = engine.compile(definition, `seed-${seed}`)
  return {
    definition,
    plan,
    played: play({ engine, plan, rng, odds: oddsOf(rng), answer: answerTask, maxSteps: 10_000 }, INPUT),
  }
}

describe('random histories', () => {
  it(`break no law, over ${SEEDS} seeds`, () => {
    const broken: unknown[] = []
    for (let seed = 1; seed <= SEEDS && broken.length < 3; seed += 1) {
      const { definition, plan, played } = playSeed(seed)
      const laws = [...Object.values(engine.LAWS), ...Object.values(NESTED_LAWS).map((law) => law(plan))]
      const violations = laws.flatMap((law) => law(played.events))
      if (violations.length > 0) broken.push({ seed, violations, definition })
    }
    expect(broken).toEqual([])
  })

  it('fold the same, live and from the journal', () => {
    for (let seed = 1; seed <= SEEDS / 3; seed += 1) {
      const { played } = playSeed(seed)
      expect(played.live, `seed ${seed}`).toBe(played.folded)
    }
  })

  it('all end, whatever was lost, repeated or late', () => {
    const stuck: unknown[] = []
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { played, definition } = playSeed(seed)
      if (!played.ended) stuck.push({ seed, status: played.state.status, definition, last: played.events.slice(-5) })
      else if (played.kept.length > 0) stuck.push({ seed, kept: played.kept, definition })
    }
    expect(stuck.slice(0, 2)).toEqual([])
  })

  it('are the same history when played again', () => {
    for (const seed of [1, 2, 3, 5, 8, 13]) {
      expect(JSON.stringify(playSeed(seed).played.events)).toBe(JSON.stringify(playSeed(seed).played.events))
    }
  })
})
