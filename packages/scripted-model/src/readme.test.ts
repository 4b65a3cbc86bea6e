// The README knows every directive.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { DIRECTIVES } from './directives.ts'

it.each(Object.keys(DIRECTIVES))('the README explains %s', (name) => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  expect(readme).toMatch(new RegExp(`^\\| \`[^|]*\\b${name}\\b`, 'm'))
})
