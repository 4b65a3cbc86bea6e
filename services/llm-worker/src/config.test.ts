// Settings and prices.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultPrices } from '@stepfleet/contracts'
import { expect, it } from 'vitest'
import { isRealApi, providersIn, readPrices, readSettings } from './config.ts'

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

const named = (env: NodeJS.ProcessEnv) => {
  const { served, unserved } = providersIn(readSettings(env))
  return { served: served.map(({ name }) => name), unserved: unserved.map(({ name }) => name) }
}

it('serves each provider that has a key or another address, and needs but one', () => {
  expect(named({ ANTHROPIC_API_KEY: 'k' })).toEqual({ served: ['anthropic'], unserved: ['openai', 'gemini'] })
  expect(named({ OPENAI_API_KEY: 'k' }).served).toEqual(['openai'])
  expect(named({ OPENAI_BASE_URL: 'http://127.0.0.1:4010/v1' }).served).toEqual(['openai'])
  expect(named({ GEMINI_API_KEY: 'k', OPENAI_API_KEY: 'k' }).served).toEqual(['openai', 'gemini'])
  expect(named({ STEPFLEET_OPENAI_COMPATIBLE: 'ollama=http://127.0.0.1:11434/v1' })).toEqual({
    served: ['ollama'],
    unserved: ['anthropic', 'openai', 'gemini'],
  })
})

it('takes the key of Gemini by either name, the own one first', () => {
  const keyOf = (env: NodeJS.ProcessEnv) => providersIn(readSettings(env)).served[0]?.apiKey
  expect(keyOf({ GOOGLE_API_KEY: 'g' })).toBe('g')
  expect(keyOf({ GOOGLE_API_KEY: 'g', GEMINI_API_KEY: 'own' })).toBe('own')
})

it('takes several servers that speak like OpenAI, with keys for those that want one', () => {
  const settings = readSettings({
    STEPFLEET_OPENAI_COMPATIBLE: 'ollama=http://localhost:11434/v1, groq=https://api.groq.com/openai/v1?a=b',
    STEPFLEET_OPENAI_COMPATIBLE_KEYS: 'groq=gsk=1',
  })
  expect(providersIn(settings).served).toEqual([
    { kind: 'compatible', name: 'ollama', apiKey: null, baseUrl: 'http://localhost:11434/v1' },
    { kind: 'compatible', name: 'groq', apiKey: 'gsk=1', baseUrl: 'https://api.groq.com/openai/v1?a=b' },
  ])
})

it.each([
  ['no url', { STEPFLEET_OPENAI_COMPATIBLE: 'ollama' }, /STEPFLEET_OPENAI_COMPATIBLE must be name=url/],
  ['another protocol', { STEPFLEET_OPENAI_COMPATIBLE: 'x1=ftp://host' }, /must be name=url/],
  ['a name that is none', { STEPFLEET_OPENAI_COMPATIBLE: 'My Server=http://host/v1' }, /must be name=url/],
  ['a name twice', { STEPFLEET_OPENAI_COMPATIBLE: 'vllm=http://a/v1,vllm=http://b/v1' }, /each name once/],
  ['a name that is taken', { STEPFLEET_OPENAI_COMPATIBLE: 'openai=http://host/v1' }, /too much like/],
  ['a name like one that is taken', { STEPFLEET_OPENAI_COMPATIBLE: 'opena1=http://host/v1' }, /too much like/],
  [
    'a key for nobody',
    { STEPFLEET_OPENAI_COMPATIBLE: 'vllm=http://a/v1', STEPFLEET_OPENAI_COMPATIBLE_KEYS: 'groq=secret' },
    /STEPFLEET_OPENAI_COMPATIBLE_KEYS has a key for a name/,
  ],
])('refuses a compatible server with %s, without its value', (_what, env, message) => {
  expect(() => readSettings(env)).toThrow(message)
  expect(() => readSettings(env)).not.toThrow(/secret|ftp:|http:/)
})

it.each([
  ['https://api.openai.com/v1', true],
  ['https://generativelanguage.googleapis.com/', true],
  ['http://localhost:11434/v1', false],
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
