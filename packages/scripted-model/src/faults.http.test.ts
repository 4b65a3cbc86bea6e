// Every row of what providers do wrong, in each protocol, as a client sees it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PROTOCOL_NAMES, type ProtocolName } from './answering/script.ts'
import { FAULTS, type FaultRow, NO_MEANING } from './faults.fixture.ts'
import { KEY, seenBy, seenSoFar } from './observe.fixture.ts'
import { type Fixture, startFixture } from './server.fixture.ts'

let model: Fixture
beforeEach(async () => {
  model = await startFixture()
})
afterEach(() => model.end())

const promptOf = ({ directive }: FaultRow): string => `[[scripted: ${directive}]] Say something about tea`

/** Other calls are answered while this one waits. */
const others = async (): Promise<void> => {
  await expect.poll(() => model.calls().map(({ outcome }) => outcome)).toContain('begun')
  for (const protocol of PROTOCOL_NAMES)
    expect(await seenBy(model.url, protocol, { prompt: 'Well?', key: 'other' })).toMatch(/^200/)
}

const ours = (): string[] =>
  model
    .calls()
    .filter(({ key }) => key !== 'other')
    .map(({ outcome }) => outcome)

describe.each(PROTOCOL_NAMES)('%s', (protocol: ProtocolName) => {
  const whole = FAULTS.filter(({ endless }) => !endless)
  it.each(whole.map((row) => [row.fault, row] as const))('%s', async (_name, row) => {
    const seen = await seenBy(model.url, protocol, { prompt: promptOf(row), with: row.with })
    const meant = row.seen[protocol] !== NO_MEANING
    if (meant) expect(seen).toBe(row.seen[protocol])
    else expect(seen).toMatch(/^400 /)
    await expect.poll(ours).toEqual([meant ? row.outcome : 'rejected'])
    expect(model.calls()[0]).toMatchObject({
      protocol,
      key: KEY,
      ...(meant && !row.harmless ? { fault: row.directive } : {}),
    })
  })

  const endless = FAULTS.filter((row) => row.endless)
  it.each(endless.map((row) => [row.fault, row] as const))('%s', async (_name, row) => {
    const { seen, leave } = await seenSoFar(model.url, protocol, { prompt: promptOf(row), with: row.with }, others)
    expect(seen).toBe(row.seen[protocol])
    expect(ours()).toEqual(['begun'])
    await leave()
    await expect.poll(ours).toEqual(['aborted'])
  })
})
