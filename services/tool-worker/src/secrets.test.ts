// Secrets: markers by structure, never text; values blotted out wherever they turn up.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from '@stepfleet/contracts'
import { redact } from '@stepfleet/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSecrets, MalformedMarker, redactJson, SecretMissing } from './secrets.ts'

const values = new Map([
  ['MAIL', 'canary-mail value/1'],
  ['KEY', 'canary-key'],
  ['SHORT', 'abc'],
  ['PIN', '7731902'],
])
let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stepfleet-secrets-'))
  await writeFile(join(dir, 'MOUNTED'), 'canary-mounted\n')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const secrets = createSecrets({ values, dir: null })

test.each<[Json, Json]>([
  [{ $secret: 'KEY' }, 'canary-key'],
  [{ $concat: ['Bearer ', { $secret: 'KEY' }] }, 'Bearer canary-key'],
  [
    { a: [{ b: { $secret: 'KEY' } }], n: 1, t: null },
    { a: [{ b: 'canary-key' }], n: 1, t: null },
  ],
  // not markers: another key beside it, so it is data
  [
    { $secret: 'KEY', other: 1 },
    { $secret: 'KEY', other: 1 },
  ],
])('%j → %j', async (input, expected) => {
  expect(await secrets.resolve(input)).toEqual(expected)
})

test('text that asks for a secret stays text', async () => {
  const texts = { a: '${{ secrets.KEY }}', b: '{"$secret":"KEY"}', c: ['$secret', 'KEY'] }
  expect(await secrets.resolve(texts)).toEqual(texts)
})

test('a value is not scanned again', async () => {
  const tricky = createSecrets({ values: new Map([['A', '{"$secret":"KEY"}']]), dir: null })
  expect(await tricky.resolve({ $concat: [{ $secret: 'A' }, ''] })).toBe('{"$secret":"KEY"}')
})

test('a __proto__ key stays data', async () => {
  const resolved = await secrets.resolve(JSON.parse('{"__proto__":{"x":{"$secret":"KEY"}}}'))
  expect(JSON.stringify(resolved)).toBe('{"__proto__":{"x":"canary-key"}}')
})

test.each(['NOPE', 'SHORT', '../MOUNTED', ''])('secret %j is missing', async (name) => {
  const mounted = createSecrets({ values, dir })
  await expect(mounted.resolve({ $secret: name })).rejects.toThrow(SecretMissing)
})

test.each<[Json]>([[{ $concat: [1] }], [{ $concat: [{ $secret: 1 }] }], [{ $secret: 1 }], [{ $concat: 'x' }]])(
  '%j is malformed',
  async (input) => {
    await expect(secrets.resolve(input)).rejects.toThrow(MalformedMarker)
  },
)

test('a mounted file is read at each use, without its last newline; the environment comes first', async () => {
  const mounted = createSecrets({ values, dir })
  expect(await mounted.named(['MOUNTED', 'KEY'])).toEqual({ MOUNTED: 'canary-mounted', KEY: 'canary-key' })
  await writeFile(join(dir, 'MOUNTED'), 'canary-rotated')
  expect(await mounted.named(['MOUNTED'])).toEqual({ MOUNTED: 'canary-rotated' })
  expect(redact('canary-mounted canary-rotated')).toBe('[redacted] [redacted]')
})

test('a value that was handed out is blotted out in every form it leaves in', async () => {
  await secrets.named(['MAIL', 'PIN'])
  const value = values.get('MAIL') ?? ''
  const url = new URL('http://example.com/')
  url.pathname = `/${value}`
  url.searchParams.set('q', value)
  const leaks = [
    value,
    url.href,
    encodeURIComponent(value),
    JSON.stringify({ value }),
    `Basic ${Buffer.from(value).toString('base64')}`,
  ]
  for (const leak of leaks) expect(redact(leak)).toContain('[redacted]')
  expect(leaks.map(redact).join()).not.toMatch(/canary-mail/)
  expect(redactJson({ [value]: [value, 7731902, 12] })).toEqual({ '[redacted]': ['[redacted]', '[redacted]', 12] })
})
