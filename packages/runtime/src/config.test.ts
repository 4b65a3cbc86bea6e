// Settings: defaults, what is refused, and that an error never tells a value.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigError, commonSettings, envBoolean, envInteger, loadConfig, redisSettings } from './config.ts'

const problemsOf = (shape: z.ZodRawShape, env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    loadConfig(z.object(shape), env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('loadConfig', () => {
  it('fills in the defaults', () => {
    expect(loadConfig(z.object(commonSettings), {})).toEqual({
      STEPFLEET_REDIS_URL: 'redis://127.0.0.1:6379',
      STEPFLEET_REDIS_CLUSTER: false,
      STEPFLEET_ALLOW_VOLATILE: false,
      STEPFLEET_LOG_LEVEL: 'info',
      STEPFLEET_HOST: '127.0.0.1',
      STEPFLEET_HEALTH_PORT: 0,
      STEPFLEET_DRAIN_MS: 25_000,
    })
  })

  it('reads what is set', () => {
    const settings = loadConfig(z.object(commonSettings), {
      STEPFLEET_REDIS_URL: 'rediss://u:p@redis.example:6380',
      STEPFLEET_REDIS_CLUSTER: '1',
      STEPFLEET_ALLOW_VOLATILE: 'true',
      STEPFLEET_HEALTH_PORT: '8081',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    })
    expect(settings).toMatchObject({
      STEPFLEET_REDIS_URL: 'rediss://u:p@redis.example:6380',
      STEPFLEET_REDIS_CLUSTER: true,
      STEPFLEET_ALLOW_VOLATILE: true,
      STEPFLEET_HEALTH_PORT: 8081,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    })
  })

  it('takes an empty value for one that is not set', () => {
    const settings = loadConfig(z.object(redisSettings), { STEPFLEET_REDIS_URL: '', STEPFLEET_REDIS_CLUSTER: '' })
    expect(settings.STEPFLEET_REDIS_URL).toBe('redis://127.0.0.1:6379')
    expect(settings.STEPFLEET_REDIS_CLUSTER).toBe(false)
  })

  it('names every wrong setting and says what it must be', () => {
    const problems = problemsOf(
      { ...commonSettings, NEEDED: z.string(), KEY: z.string().min(20), SECRET: z.string().regex(/^k_/) },
      {
        STEPFLEET_REDIS_URL: 'http://x',
        STEPFLEET_REDIS_CLUSTER: 'yes',
        STEPFLEET_LOG_LEVEL: 'loud',
        STEPFLEET_HEALTH_PORT: '70000',
        STEPFLEET_DRAIN_MS: '5s',
        KEY: 'short',
        SECRET: 'x',
      },
    )
    expect(problems).toHaveLength(8)
    expect(problems).toContain('STEPFLEET_REDIS_URL must be a redis:// or rediss:// url')
    expect(problems).toContain('STEPFLEET_REDIS_CLUSTER must be one of 0, 1, true, false')
    expect(problems).toContain('STEPFLEET_HEALTH_PORT must be from 0 to 65535')
    expect(problems).toContain('STEPFLEET_DRAIN_MS must be a whole number')
    expect(problems).toContain('NEEDED is missing')
    expect(problems.filter((problem) => /^(STEPFLEET_LOG_LEVEL|KEY|SECRET) /.test(problem))).toHaveLength(3)
  })

  it('never tells a value', () => {
    const canary = 'canary-5f1c'
    const url = `http://user:${canary}@host`
    const names = Object.keys(commonSettings)
    const message = problemsOf(
      { ...commonSettings, LENGTH: z.string().max(3), NUMBER: z.coerce.number() },
      {
        ...Object.fromEntries(names.map((name) => [name, canary])),
        STEPFLEET_REDIS_URL: url,
        LENGTH: canary,
        NUMBER: canary,
      },
    ).join('\n')
    expect(message).toContain('STEPFLEET_REDIS_URL')
    expect(message).toContain('LENGTH')
    expect(message).not.toContain(canary)
  })
})

describe('pieces', () => {
  it.each([
    ['1', true],
    ['true', true],
    ['0', false],
    ['false', false],
  ])('envBoolean takes %s as %s', (text, value) => {
    expect(envBoolean.parse(text)).toBe(value)
  })

  it.each(['', ' 1', '1.5', '0x10', '1e3', '11', '-1', '99999999999999999999'])(
    'envInteger(0, 10) refuses %j',
    (text) => {
      expect(envInteger(0, 10).safeParse(text).success).toBe(false)
    },
  )

  it('envInteger takes its bounds', () => {
    expect(envInteger(-2, 10).parse('-2')).toBe(-2)
    expect(envInteger(-2, 10).parse('10')).toBe(10)
  })
})
