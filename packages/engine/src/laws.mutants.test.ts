// Every law has killed a mutant: the shipped engine with one guard taken out, in which the law finds a violation.
// A mutant is a patch of the shipped file; a patch that no longer fits fails the test, so none goes stale.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { checkLaws, LAWS } from './laws.ts'
import { answerTask, randomDefinition } from './testing/definitions.ts'
import { type EngineModule, oddsOf, play, random } from './testing/play.ts'

interface Patch {
  file: string
  from: string
  to: string
}
interface Mutant {
  /** The law that must find it. */
  law: string
  /** What was taken out. */
  without: string
  patches: readonly Patch[]
}

const MUTANTS: readonly Mutant[] = [
  {
    law: 'no_gaps',
    without: 'the sequence',
    patches: [
      { file: 'turn.ts', from: 'seq: state.version + 1,', to: 'seq: state.version + (state.version > 3 ? 2 : 1),' },
      { file: 'state/fold.ts', from: 'if (event.seq !== state.version + 1) {', to: 'if (event.seq < 0) {' },
    ],
  },
  {
    law: 'time_never_runs_back',
    without: 'the monotonic clock',
    patches: [
      {
        file: 'turn.ts',
        from: 'atMs: Math.max(turn.nowMs, state.lastAtMs)',
        to: 'atMs: turn.nowMs - (state.version % 7)',
      },
    ],
  },
  {
    law: 'starts_once',
    without: 'the check for a start that came before',
    patches: [{ file: 'accept/accept.ts', from: 'if (turn.state.version === 0) {', to: 'if (true) {' }],
  },
  {
    law: 'nothing_after_the_end',
    without: 'the end of a run',
    patches: [
      { file: 'state/fold.ts', from: "closeRun(state, 'completed', event.atMs)", to: "state.status = 'completed'" },
    ],
  },
  {
    law: 'ends_once',
    without: 'the refusal of a second answer',
    patches: [
      {
        file: 'accept/outcome.ts',
        from: 'if (isEnded(step)) noteCost',
        to: "if (outcome.result.status !== 'done' && isEnded(step)) noteCost",
      },
    ],
  },
  {
    law: 'deliveries_in_order',
    without: 'the count of deliveries',
    patches: [{ file: 'decide/dispatch.ts', from: 'delivery: again ? again.delivery + 1 : 1', to: 'delivery: 1' }],
  },
  {
    law: 'nothing_of_an_ended_step',
    without: 'the check that what was lost is out',
    patches: [{ file: 'accept/outcome.ts', from: "return step.phase === 'scheduled' && last", to: 'return last' }],
  },
  {
    law: 'backoff_is_kept',
    without: 'the wait before a retry',
    patches: [{ file: 'decide/decide.ts', from: '(step.notBeforeMs ?? 0) <= turn.nowMs', to: 'turn.nowMs >= 0' }],
  },
  {
    law: 'failures_are_settled',
    without: 'the policy of a failed step',
    patches: [{ file: 'decide/decide.ts', from: 'if (step.failure) settleFailure(turn, path, step.failure)', to: '' }],
  },
  {
    law: 'cases_are_decided_once',
    without: 'the closing of a case',
    patches: [
      { file: 'state/fold.ts', from: 'step.case = null\n    if (step.approval', to: 'if (step.approval' },
      { file: 'state/transitions.ts', from: 'step.heldWhy = null\n  step.case = null\n', to: 'step.heldWhy = null\n' },
    ],
  },
  {
    law: 'once_is_not_repeated',
    without: 'the refusal to repeat what is ambiguous',
    patches: [
      {
        file: 'decide/retry.ts',
        from: "(failure.class === 'ambiguous' && effect !== 'once')",
        to: "failure.class === 'ambiguous'",
      },
      { file: 'decide/retry.ts', from: 'used >= policy.attempts', to: 'used >= 3' },
    ],
  },
  {
    law: 'needs_come_first',
    without: 'the wait for what is needed',
    patches: [
      {
        file: 'decide/decide.ts',
        from: "if (!step || !isEnded(step)) return 'blocked'",
        to: "if (!step) return 'blocked'",
      },
    ],
  },
]

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

/** Laws that find something in the mutant's histories. A mutant that throws on its way shows what it had done so far. */
const lawsBrokenBy = async (mutant: Mutant): Promise<Set<string>> => {
  const engine = await engineOf(mutant)
  const broken = new Set<string>()
  for (let seed = 1; seed <= SEEDS && !broken.has(mutant.law); seed += 1) {
    const rng = random(seed)
    const plan = engine.compile(randomDefinition(rng), `seed-${seed}`)
    const { events } = play({ engine, plan, rng, odds: oddsOf(rng), answer: answerTask, maxSteps: 400, reckless: true })
    for (const { law } of checkLaws(events, plan)) broken.add(law)
  }
  return broken
}

describe('mutants', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('there is one for every law', () => {
    expect(MUTANTS.map(({ law }) => law).sort()).toEqual([...Object.keys(LAWS), 'needs_come_first'].sort())
  })

  for (const mutant of MUTANTS) {
    it(`${mutant.law} finds an engine without ${mutant.without}`, async () => {
      expect(await lawsBrokenBy(mutant)).toContain(mutant.law)
    })
  }
})
