// A workflow in code goes the same way in a test's own process and in a thread, as users import it.
import { fileURLToPath } from 'node:url'
import { bundleWorkflow, isWorkflow, ThreadedCodeHost } from '@stepfleet/code-workflows'
import { HostedWorkflow } from '@stepfleet/simulator'
import { expect, test } from 'vitest'
import { simulate } from './index.ts'

const example = new URL('../../../examples/code/trip.ts', import.meta.url)

test.each([
  ['well', {}],
  ['to an undone trip', { mocks: { car: { fail: 'http_error' as const } } }],
  ['with crashes', { faults: ['flight', 'hotel', 'car'].map((crashAfter) => ({ crashAfter })) }],
])('an example goes %s in both', async (_, more) => {
  const { trip } = await import(example.href)
  expect(isWorkflow(trip)).toBe(true)
  const options = { input: { trip: 'Rome' }, ...more }
  const here = await simulate(trip, options)
  const host = new ThreadedCodeHost({ logger: { info: () => undefined, warn: () => undefined } })
  const bundle = await bundleWorkflow(fileURLToPath(example))
  const described = await host.describe(bundle)
  if (!described.ok) throw new Error(described.why)
  const there = await simulate(new HostedWorkflow(described, bundle, host), options)
  await host.close()
  // the workflow's hash is that of the bundle there
  const rest = ([, ...events]: readonly unknown[]) => events
  expect(rest(there.events)).toEqual(rest(here.events))
  expect(there.output).toEqual(here.output)
})
