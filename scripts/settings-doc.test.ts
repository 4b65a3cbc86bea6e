// The table of settings in docs/guide/deploy.md against what each service's config.ts takes: every setting, its default.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultOf, knows, namesOf, SERVICES } from './service-settings.ts'
import { root } from './steps.mjs'

const page = readFileSync(join(root, 'docs/guide/deploy.md'), 'utf8')

interface Row {
  name: string
  services: readonly string[]
  default: string
  meaning: string
}

const rows: Row[] = [...page.matchAll(/^\| `([A-Z][A-Z0-9_]+)` \| ([^|]+) \| ([^|]*) \| ([^|]+) \|$/gm)].map(
  ([, name = '', services = '', fallback = '', meaning = '']) => ({
    name,
    services: services === 'all' ? SERVICES : services.split(', '),
    default: fallback.trim().replaceAll('`', ''),
    meaning,
  }),
)

/** As the table writes it. */
const written = (value: unknown): string => {
  if (value instanceof Map && value.size === 0) return ''
  if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return ''
  if (typeof value === 'boolean') return value ? '1' : '0'
  return String(value)
}

describe.each(SERVICES)('the settings of %s', (service) => {
  const names = namesOf(service)
  it('are found', () => {
    expect(names).toContain('STEPFLEET_REDIS_URL')
    expect(names.length).toBeGreaterThan(8)
  })
  it.each(names)('%s is in the table, with its default', (name) => {
    const [row, ...more] = rows.filter((one) => one.name === name && one.services.includes(service))
    expect(more).toEqual([])
    expect(row?.default).toBe(written(defaultOf(service, name)))
  })
})

it('the table has no setting that no service has', () => {
  const listed = rows.flatMap(({ name, services }) => services.map((service) => ({ name, service })))
  const wrong = listed.filter(({ name, service }) => !SERVICES.some((one) => one === service && knows(one, name)))
  expect(listed.length).toBeGreaterThan(30)
  expect(wrong).toEqual([])
})
