// The workloads of throughput.ts: what they submit, and how their ends are seen without asking while they run.
import { type Api, countRuns, expectOk, until } from './lib/http.ts'
import type { Tells } from './lib/tells.ts'

/** Steps of a chain of W1, of the lone chain, and of the wide run besides its join. */
export const CHAIN = 10
export const LONE = 50
export const WIDTH = 1_000

const chain = (name: string, length: number, toolOf: (i: number) => string): object => ({
  name,
  steps: Object.fromEntries(
    Array.from({ length }, (_, i) => [
      `s${i + 1}`,
      { tool: toolOf(i), with: i === 0 ? { go: true } : { go: `\${{ steps.s${i}.output.ok }}` } },
    ]),
  ),
})
export const DEFINITIONS = [
  chain('chain', CHAIN, (i) => (i === CHAIN - 1 ? 'tell' : 'noop')),
  chain('lone', LONE, () => 'tell'),
  {
    name: 'fan',
    input: { type: 'object', required: ['items'], properties: { items: { type: 'array' } } },
    steps: {
      all: { each: { in: '${{ input.items }}', concurrency: 10_000 }, tool: 'noop', with: { item: '${{ item }}' } },
      join: { tool: 'tell', with: { count: '${{ size(steps.all.output) }}' } },
    },
  },
]

export interface Ends {
  api: Api
  tells: Tells
}

interface Submitted {
  results: { status: number; run?: { id: string }; problem?: unknown }[]
}

let serial = 0
const newId = (): string => {
  serial += 1
  return `b${serial}`
}

/** Keeps `inFlight` runs of the chain going until `runs` have been started and all have ended; seconds. */
export const runChains = async ({ api, tells }: Ends, runs: number, inFlight: number): Promise<number> => {
  let left = runs
  let free = Math.min(inFlight, runs)
  let told = 0
  let submitting = false
  let failed: unknown
  const label = `w${newId()}`
  const fill = async (): Promise<void> => {
    if (submitting) return
    submitting = true
    try {
      while (left > 0 && free > 0) {
        const count = Math.min(left, free)
        left -= count
        free -= count
        const body = {
          runs: Array.from({ length: count }, () => ({ id: newId(), workflow: 'chain', labels: { w: label } })),
        }
        const { results } = expectOk(await api.post<Submitted>('/v1/runs/batch', body))
        const refused = results.find((one) => one.status !== 202)
        if (refused) throw new Error(`a run was refused: ${JSON.stringify(refused)}`)
      }
    } catch (error) {
      failed = error
    } finally {
      submitting = false
    }
  }
  tells.listen(() => {
    told += 1
    free += 1
    void fill()
  })
  const startedMs = performance.now()
  await fill()
  await until('the last steps to be called', 120_000, () => told >= runs || failed !== undefined, 1)
  if (failed) throw failed
  await until(
    'the runs to end',
    30_000,
    async () => (await countRuns(api, `status=completed&label=w:${label}`)) >= runs,
    5,
  )
  return (performance.now() - startedMs) / 1_000
}

const awaitEnd = async (api: Api, id: string): Promise<void> => {
  const { status } = expectOk(await api.get<{ status: string }>(`/v1/runs/${id}/result?wait=60s`))
  if (status !== 'completed') throw new Error(`run ${id} is ${status}`)
}

/** Hand-offs of one lone chain, milliseconds each. */
export const runLone = async ({ api, tells }: Ends): Promise<number[]> => {
  const times: number[] = []
  tells.listen(({ atMs }) => times.push(atMs))
  const id = newId()
  expectOk(await api.post('/v1/runs', { id, workflow: 'lone' }))
  await until('the chain to end', 60_000, () => times.length >= LONE, 5)
  await awaitEnd(api, id)
  if (times.length !== LONE) throw new Error(`${times.length} calls of ${LONE} steps`)
  return times.slice(1).map((at, i) => at - (times[i] ?? at))
}

/** Seconds of one wide run. */
export const runFan = async ({ api, tells }: Ends): Promise<number> => {
  let endedMs = 0
  tells.listen(() => {
    endedMs = performance.now()
  })
  const id = newId()
  const items = Array.from({ length: WIDTH }, (_, i) => i)
  expectOk(await api.post('/v1/runs', { id, workflow: 'fan', input: { items } }))
  const startedMs = performance.now()
  await until('the join to be called', 60_000, () => endedMs > 0, 1)
  await awaitEnd(api, id)
  return (endedMs - startedMs) / 1_000
}
