// The workflow in README.md is one that this release takes.
import { readFileSync } from 'node:fs'
import { validate } from '@stepfleet/engine'
import { expect, it } from 'vitest'
import { parse } from 'yaml'

it('the README’s workflow validates', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, text = ''] = /```yaml\n(name:[\s\S]*?)```/.exec(readme) ?? []
  expect(validate(parse(text))).toMatchObject({ ok: true })
})
