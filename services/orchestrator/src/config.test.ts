import { describe, expect, test } from 'vitest'
import { isLoopback, loadOrchestratorConfig } from './config.ts'

test('has defaults for everything', () => {
  expect(loadOrchestratorConfig({})).toMatchObject({
    ROLE: 'all',
    STEPFLEET_HOST: '127.0.0.1',
    STEPFLEET_PORT: 7_400,
    env: {},
  })
})

test('captures the allowed variables that are set, and no others', () => {
  const config = loadOrchestratorConfig({ STEPFLEET_ENV_ALLOW: 'REGION, TIER,', REGION: 'eu', OTHER: 'x' })
  expect(config.env).toEqual({ REGION: 'eu' })
})

describe('refuses, by name and without the value', () => {
  test.each([
    ['ROLE', { ROLE: 'boss' }],
    ['STEPFLEET_PORT', { STEPFLEET_PORT: '70000' }],
    ['ESCALATION_URL', { ESCALATION_URL: 'ftp://boss' }],
    ['ESCALATION_URL', { ESCALATION_URL: 'http://host/boss' }],
    ['STEPFLEET_ENV_ALLOW', { STEPFLEET_ENV_ALLOW: 'STEPFLEET_SECRET_BOSS' }],
    ['STEPFLEET_ENV_ALLOW', { STEPFLEET_ENV_ALLOW: 'a-boss' }],
    ['STEPFLEET_HOST', { STEPFLEET_HOST: '0.0.0.0' }],
    ['STEPFLEET_HOST', { STEPFLEET_HOST: 'boss.example', ROLE: 'api' }],
  ])('%s in %j', (name, env) => {
    expect(() => loadOrchestratorConfig(env)).toThrow(name)
    expect(() => loadOrchestratorConfig(env)).not.toThrow('boss')
  })
})

test('listens beyond loopback only when asked for on purpose, or when it has no API', () => {
  const open = { STEPFLEET_HOST: '0.0.0.0', STEPFLEET_ALLOW_UNAUTHENTICATED: '1' }
  expect(loadOrchestratorConfig(open).STEPFLEET_HOST).toBe('0.0.0.0')
  expect(loadOrchestratorConfig({ STEPFLEET_HOST: '0.0.0.0', ROLE: 'engine' }).ROLE).toBe('engine')
})

test.each([
  ['127.0.0.1', true],
  ['127.8.0.1', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['localhost.example', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})
