// A corpus of wrong definitions: each must give exactly these errors, at these places, with these suggestions.
import { describe, expect, it } from 'vitest'
import { validate } from './validate.ts'
import { AGENTS } from './validation/corpus/agents.fixture.ts'
import { CALLBACKS } from './validation/corpus/callbacks.fixture.ts'
import { EXPRESSIONS } from './validation/corpus/expressions.fixture.ts'
import { FALLBACKS } from './validation/corpus/fallbacks.fixture.ts'
import { KINDS } from './validation/corpus/kinds.fixture.ts'
import { KNOWN } from './validation/corpus/known.fixture.ts'
import { MODIFIERS } from './validation/corpus/modifiers.fixture.ts'
import { NESTING } from './validation/corpus/nesting.fixture.ts'
import { SHAPE } from './validation/corpus/shape.fixture.ts'
import { UNBUILT } from './validation/corpus/unbuilt.fixture.ts'
import { UNDO } from './validation/corpus/undo.fixture.ts'
import { VALIDATION_CODES } from './validation/findings.ts'

const plain = (errors: readonly { path: string; code: string; suggestion?: string | undefined }[]) =>
  errors.map(({ path, code, suggestion }) => (suggestion === undefined ? [path, code] : [path, code, suggestion]))
const sorted = (errors: readonly (readonly (string | undefined)[])[]) => errors.map((error) => error.join(' | ')).sort()

describe.each([
  ['shape', SHAPE],
  ['kinds', KINDS],
  ['nesting', NESTING],
  ['modifiers', MODIFIERS],
  ['compensations', UNDO],
  ['fallbacks, confidence, budgets', FALLBACKS],
  ['tools of agents', AGENTS],
  ['callbacks', CALLBACKS],
  ['what is known of values', KNOWN],
  ['not built yet', UNBUILT],
  ['expressions', EXPRESSIONS],
])('wrong definitions: %s', (_, cases) => {
  it.each(cases)('$what', ({ definition, errors }) => {
    const result = validate(definition)
    expect(result.ok).toBe(false)
    expect(result.ok ? [] : sorted(plain(result.errors))).toEqual(sorted(errors))
  })
})

describe('the corpus', () => {
  const all = [
    ...SHAPE,
    ...KINDS,
    ...NESTING,
    ...MODIFIERS,
    ...UNDO,
    ...FALLBACKS,
    ...AGENTS,
    ...CALLBACKS,
    ...KNOWN,
    ...UNBUILT,
    ...EXPRESSIONS,
  ]
  it('shows every code', () => {
    const shown = new Set(all.flatMap((one) => one.errors.map(([, code]) => code)))
    expect(VALIDATION_CODES.filter((code) => !shown.has(code))).toEqual([])
  })

  it('says it in plain words, without the words of libraries', () => {
    for (const { definition } of all) {
      const result = validate(definition)
      for (const { message } of result.ok ? [] : result.errors) {
        expect(message).not.toMatch(/Invalid|undefined|zod|expected|regex|\[object/)
        expect(message.length).toBeLessThan(400)
      }
    }
  })
})
