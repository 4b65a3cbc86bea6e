// The settings of the tool-worker.
import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

test('defaults', () => {
  expect(readConfig({})).toMatchObject({
    settings: {
      STEPFLEET_SLOTS: 50,
      STEPFLEET_TOOLS: [],
      STEPFLEET_EGRESS_ALLOW: [],
      STEPFLEET_PUBLIC_URL: 'http://127.0.0.1:7400',
    },
    secrets: new Map(),
  })
})

test('lists are split at commas; secrets are taken by name and out of the environment', () => {
  const env = {
    STEPFLEET_TOOLS: ' a.mjs, dir ,',
    STEPFLEET_EGRESS_ALLOW: '127.0.0.1:8080,[::1]:80,searx.internal',
    STEPFLEET_PUBLIC_URL: 'https://flows.example/api/',
    STEPFLEET_SECRET_MAIL: 'canary-mail',
    STEPFLEET_SECRET_EMPTY: '',
  }
  const { settings, secrets } = readConfig(env)
  expect(settings.STEPFLEET_TOOLS).toEqual(['a.mjs', 'dir'])
  expect(settings.STEPFLEET_EGRESS_ALLOW).toEqual(['127.0.0.1:8080', '[::1]:80', 'searx.internal'])
  expect(settings.STEPFLEET_PUBLIC_URL).toBe('https://flows.example/api')
  expect([...secrets]).toEqual([['MAIL', 'canary-mail']])
  expect(Object.keys(env)).not.toContain('STEPFLEET_SECRET_MAIL')
})

test.each([
  [{ STEPFLEET_SLOTS: '0' }, 'STEPFLEET_SLOTS'],
  [{ STEPFLEET_EGRESS_ALLOW: 'http://x/' }, 'STEPFLEET_EGRESS_ALLOW'],
  [{ STEPFLEET_PUBLIC_URL: 'ftp://x' }, 'STEPFLEET_PUBLIC_URL'],
  [{ STEPFLEET_SECRET_MAIL: 'tiny' }, 'STEPFLEET_SECRET_MAIL'],
])('%j is refused by name, without its value', (env: Record<string, string>, name) => {
  const value = Object.values(env)[0] ?? ''
  expect(() => readConfig(env)).toThrow(name)
  try {
    readConfig(env)
  } catch (error) {
    if (value.length > 1) expect(String(error)).not.toContain(value)
  }
})
