// The load of the chaos run: short workflows whose outputs are known, and their submission against a door that may be away.
import type { Expected } from '../checker.ts'
import { type Api, pause } from './http.ts'

const MODEL = 'anthropic/claude-haiku-5-5'
const effect = (n: string): object => ({ tool: 'effect', with: { n, ms: '${{ input.ms }}' } })
const input = {
  type: 'object',
  required: ['n', 'ms'],
  properties: { n: { type: 'integer' }, ms: { type: 'integer' } },
}
const say = (text: string): object => ({ llm: { model: MODEL, prompt: `Say it. [[scripted: say=${text}]]` } })

interface Kind {
  definition: { name: string; steps: object }
  output: (n: number) => unknown
  toolPaths: readonly string[]
  modelPaths: readonly string[]
  oncePaths?: readonly string[]
}

/** Two to five steps each. Outputs are computed here a second time, by hand. */
const KINDS: readonly Kind[] = [
  {
    definition: {
      name: 'chaos-chain',
      steps: {
        a: effect('${{ input.n }}'),
        b: effect('${{ steps.a.output.n }}'),
        c: effect('${{ steps.b.output.n }}'),
      },
    },
    output: (n) => ({ n: 8 * n }),
    toolPaths: ['a', 'b', 'c'],
    modelPaths: [],
  },
  {
    definition: {
      name: 'chaos-value',
      steps: { a: { value: '${{ input.n + 1 }}' }, c: effect('${{ steps.a.output }}') },
    },
    output: (n) => ({ n: 2 * (n + 1) }),
    toolPaths: ['c'],
    modelPaths: [],
  },
  {
    definition: {
      name: 'chaos-each',
      steps: {
        a: { each: { in: ['${{ input.n }}', '${{ input.n + 1 }}', '${{ input.n + 2 }}'] }, ...effect('${{ item }}') },
        c: effect('${{ steps.a.output[0].n + steps.a.output[1].n + steps.a.output[2].n }}'),
      },
    },
    output: (n) => ({ n: 2 * (6 * n + 6) }),
    toolPaths: ['a[0]', 'a[1]', 'a[2]', 'c'],
    modelPaths: [],
  },
  {
    definition: {
      name: 'chaos-model',
      steps: {
        a: effect('${{ input.n }}'),
        b: say('done'),
        c: { value: { n: '${{ steps.a.output.n }}', text: '${{ steps.b.output }}' } },
      },
    },
    output: (n) => ({ n: 2 * n, text: 'done' }),
    toolPaths: ['a'],
    modelPaths: ['b'],
  },
  {
    definition: {
      name: 'chaos-once',
      steps: {
        // takes its time, so that a worker that is stopped has one in its hands
        a: { tool: 'pay', with: { n: '${{ input.n }}', ms: '${{ input.ms * 10 }}' } },
        c: effect('${{ steps.a.output.n }}'),
      },
    },
    output: (n) => ({ n: 4 * n }),
    toolPaths: ['a', 'c'],
    modelPaths: [],
    oncePaths: ['a'],
  },
]

export const DEFINITIONS: readonly object[] = KINDS.map(({ definition }) => ({
  ...definition,
  input,
  output: '${{ steps.c.output }}',
}))

/** Seeded: mulberry32 (Tommy Ettinger, public domain). Answers in [0, 1). */
export const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Planned extends Expected {
  /** What `pay` gives for a step of effect `once`. */
  onceOutput: unknown
  body: { id: string; workflow: string; input: { n: number; ms: number } }
}

export const planRuns = (count: number, random: () => number): Planned[] =>
  Array.from({ length: count }, (_, i) => {
    const kind = KINDS[Math.floor(random() * KINDS.length)] ?? KINDS[0]
    if (!kind) throw new Error('no kinds')
    const n = Math.floor(random() * 1_000)
    const run = `c${i + 1}`
    return {
      run,
      output: kind.output(n),
      toolPaths: kind.toolPaths,
      modelPaths: kind.modelPaths,
      oncePaths: kind.oncePaths ?? [],
      onceOutput: { n: 2 * n },
      body: { id: run, workflow: kind.definition.name, input: { n, ms: 2 + Math.floor(random() * 25) } },
    }
  })

interface BatchAnswer {
  results: { status: number; problem?: { code?: string; detail?: string } }[]
}

/**
 * Submits until each run has been accepted: what broke or was refused as unavailable is sent again under the same id,
 * as a caller would. Throws when a run is refused for good.
 */
export const submitAll = async (api: Api, runs: readonly Planned[], again: () => boolean): Promise<void> => {
  let open = [...runs]
  while (open.length > 0 && again()) {
    const answer = await api
      .post<BatchAnswer>('/v1/runs/batch', { runs: open.map((run) => run.body) })
      .catch(() => null)
    if (answer?.status === 200) {
      const { results } = answer.body
      const wrong = results.find(({ status }) => status >= 400 && status < 500)
      if (wrong) throw new Error(`a run was refused: ${JSON.stringify(wrong)}`)
      open = open.filter((_, i) => (results[i]?.status ?? 0) >= 300 || results[i] === undefined)
    } else if (answer && answer.status < 500) {
      throw new Error(`the batch was refused: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    if (open.length > 0) await pause(100)
  }
}
