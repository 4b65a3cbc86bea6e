// Settings and prices.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultPrices } from '@stepfleet/contracts'
import { expect, it } from 'vitest'
import { isRealApi, readPrices, readSettings } from './config.ts'

it('wants a key for the real API, by name and without any value', () => {
  expect(() => readSettings({})).toThrow(/ANTHROPIC_API_KEY is missing/)
  expect(() => readSettings({ ANTHROPIC_API_KEY: '', ANTHROPIC_BASE_URL: 'https://api.anthropic.com/' })).toThrow(
    /ANTHROPIC_API_KEY/,
  )
  expect(readSettings({ ANTHROPIC_API_KEY: 'k' })).toMatchObject({
    STEPFLEET_SLOTS: 20,
    STEPFLEET_MODEL_CHUNK_MS: 60_000,
  })
})

it('wants none for another address', () => {
  expect(readSettings({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:4010' }).ANTHROPIC_API_KEY).toBeUndefined()
})

it.each([
  ['https://api.anthropic.com', true],
  ['https://api.anthropic.com/', true],
  ['https://api.anthropic.com.example.org', false],
  ['http://127.0.0.1:4010', false],
])('%s is the real API: %s', (url, expected) => {
  expect(isRealApi(url)).toBe(expected)
})

it('a file of prices replaces those it names', () => {
  const dir = mkdtempSync(join(tmpdir(), 'prices-'))
  const file = join(dir, 'prices.json')
  const own = { input: 1, output: 2, cacheRead: 3, cacheWrite: 4 }
  writeFileSync(
    file,
    JSON.stringify({ asOf: '2026-12-01', unit: 'micro-dollars per million tokens', models: { 'anthropic/own': own } }),
  )
  expect(readPrices(file)).toMatchObject({
    asOf: '2026-12-01',
    models: { ...defaultPrices.models, 'anthropic/own': own },
  })
  expect(readPrices(undefined)).toBe(defaultPrices)
  writeFileSync(file, '{"models": {}}')
  expect(() => readPrices(file)).toThrow()
  rmSync(dir, { recursive: true })
})
