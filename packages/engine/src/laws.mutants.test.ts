// Every law has killed a mutant: the shipped engine with one guard taken out, in which the law finds a violation. And the
// reference has teeth: it finds engines that break no law, but do something else than the documentation says.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import * as shipped from './index.ts'
import { NESTED_LAWS } from './laws/nested.ts'
import { checkLaws, LAWS } from './laws.ts'
import { differences, worldSeenIn } from './testing/compare.ts'
import { answerTask, INPUT, randomDefinition } from './testing/definitions.ts'
import { fateOf } from './testing/fate.ts'
import { LAW_MUTANTS, type Mutant, REFERENCE_MUTANTS } from './testing/mutants.ts'
import { type EngineModule, oddsOf, play, random } from './testing/play.ts'
import { interpret } from './testing/reference.ts'

const source = fileURLToPath(new URL('.', import.meta.url))
const folder = fileURLToPath(new URL('../.mutants/', import.meta.url))

/** The shipped sources with the patches applied, imported as an engine of their own. */
const engineOf = async (mutant: Mutant): Promise<EngineModule> => {
  const copy = `${folder}${mutant.law}/`
  mkdirSync(copy, { recursive: true })
  cpSync(source, copy, { recursive: true, filter: (file) => !file.endsWith('.test.ts') })
  for (const { file, from, to } of mutant.patches) {
    const text = readFileSync(copy + file, 'utf8')
    if (!text.includes(from)) throw new Error(`the patch of mutant ${mutant.law} no longer fits ${file}`)
    writeFileSync(copy + file, text.replace(from, to))
  }
  return import(pathToFileURL(`${copy}index.ts`).href)
}

const SEEDS = 600

/** Laws that the history of a seed breaks. What throws on its way shows what it had done so far. */
const brokenBy = (engine: EngineModule, seed: number): string[] => {
  const rng = random(seed)
  const plan = engine.compile(randomDefinition(rng), `seed-${seed}`)
  const world = { engine, plan, rng, odds: oddsOf(rng), answer: answerTask, maxSteps: 400, reckless: true }
  const { events } = play(world, INPUT)
  const nested = Object.values(NESTED_LAWS).flatMap((law) => law(plan)(events))
  return [...checkLaws(events, plan), ...nested].map(({ law }) => law)
}

/** True when the reference finds a difference in the history of a seed. */
const differs = (engine: EngineModule, seed: number): boolean => {
  const definition = randomDefinition(random(seed), { calm: true })
  const plan = engine.compile(definition, `seed-${seed}`)
  const rng = random(seed)
  const fate = fateOf(seed)
  const played = play({ engine, plan, rng, odds: oddsOf(rng), answer: answerTask, fate, maxSteps: 2_000 }, INPUT)
  return differences(played, interpret(definition, INPUT, worldSeenIn(fate, played))).length > 0
}

/** A seed that is found in the mutant, and not in the engine as it is shipped; null: the mutant lives. */
const killedAt = async (
  mutant: Mutant,
  isFound: (engine: EngineModule, seed: number) => boolean,
): Promise<number | null> => {
  const engine = await engineOf(mutant)
  for (let seed = 1; seed <= SEEDS; seed += 1) if (isFound(engine, seed) && !isFound(shipped, seed)) return seed
  return null
}

describe('mutants', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('there is one for every law', () => {
    const laws = [...Object.keys(LAWS), 'needs_come_first', ...Object.keys(NESTED_LAWS)]
    expect(LAW_MUTANTS.map(({ law }) => law).sort()).toEqual(laws.sort())
  })

  for (const mutant of LAW_MUTANTS) {
    it(`${mutant.law} finds an engine without ${mutant.without}`, async () => {
      expect(await killedAt(mutant, (engine, seed) => brokenBy(engine, seed).includes(mutant.law))).not.toBeNull()
    })
  }

  for (const mutant of REFERENCE_MUTANTS) {
    it(`the reference finds an engine without ${mutant.without}`, async () => {
      expect(await killedAt(mutant, differs)).not.toBeNull()
    })
  }
})
