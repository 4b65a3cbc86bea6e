// Limits as they are configured: what is read, and what is said of what cannot be.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { limitsOf, ModelLimitsError, readModelLimits } from './model-limits.ts'

const NONE = {
  requestsPerMinute: null,
  inputTokensPerMinute: null,
  outputTokensPerMinute: null,
  concurrency: null,
  providerConcurrency: null,
}
const TEXT = JSON.stringify({
  'anthropic/claude-sonnet-5-5': { requestsPerMinute: 50, inputTokensPerMinute: 30_000, concurrency: 20 },
  'anthropic/*': { concurrency: 100 },
})

describe('readModelLimits', () => {
  it('reads text, and answers what a model may', () => {
    const of = limitsOf(readModelLimits(TEXT))
    const own = { requestsPerMinute: 50, inputTokensPerMinute: 30_000, concurrency: 20 }
    expect(of('anthropic/claude-sonnet-5-5')).toEqual({ ...NONE, ...own, providerConcurrency: 100 })
    expect(of('anthropic/other')).toEqual({ ...NONE, providerConcurrency: 100 })
    expect(of('openai/claude-sonnet-5-5')).toEqual(NONE)
  })

  it('reads a file', () => {
    const dir = mkdtempSync(join(tmpdir(), 'limits-'))
    const file = join(dir, 'limits.json')
    writeFileSync(file, TEXT)
    expect(readModelLimits(file)).toEqual(readModelLimits(TEXT))
    writeFileSync(file, '[')
    expect(() => readModelLimits(file)).toThrow(`${file} is not JSON`)
    rmSync(dir, { recursive: true })
  })

  it('is empty without configuration', () => {
    expect(limitsOf(readModelLimits(undefined))('anthropic/x')).toEqual(NONE)
  })

  it.each([
    ['nothing', 'no-such-file.json', 'neither JSON'],
    ['broken JSON', '{"a": ', 'is not JSON'],
    ['a name without a model', '{"anthropic": {}}', 'anthropic is neither <provider>/<model> nor <provider>/*'],
    ['a rate of a provider', '{"anthropic/*": {"requestsPerMinute": 5}}', 'anthropic/* takes concurrency only'],
    ['an unknown field', '{"anthropic/x": {"requests": 5}}', 'anthropic/x takes requestsPerMinute'],
    ['zero', '{"anthropic/x": {"concurrency": 0}}', 'anthropic/x.concurrency must be at least 1'],
    ['text', '{"anthropic/x": {"concurrency": "5"}}', 'anthropic/x.concurrency must be a whole number'],
    ['no object', '{"anthropic/x": 5}', 'anthropic/x takes requestsPerMinute'],
  ])('refuses %s', (_, given, message) => {
    expect(() => readModelLimits(given)).toThrow(ModelLimitsError)
    expect(() => readModelLimits(given)).toThrow(message)
  })

  it('says all that is wrong at once, without the values', () => {
    const given = '{"anthropic/x": {"concurrency": -7, "requestsPerMinute": 0.25}, "y": {}}'
    let said = ''
    try {
      readModelLimits(given)
    } catch (error) {
      said = String(error)
    }
    for (const part of ['anthropic/x.concurrency', 'anthropic/x.requestsPerMinute', 'y is neither'])
      expect(said).toContain(part)
    expect(said).not.toMatch(/-7|0\.25/)
  })
})
