// Registration of definitions that are right, and what it warns of.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { allSteps, type Json } from '@stepfleet/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compile } from './compile.ts'
import { exampleDefinition } from './example.fixture.ts'
import { validate } from './validate.ts'
import { RIGHT, wholeLanguage } from './validation/corpus/right.fixture.ts'

const warningsOf = (definition: unknown) => {
  const result = validate(definition)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.warnings
}
const MODEL = 'anthropic/claude-sonnet-5-5'
const one = (step: Json, more: Record<string, Json> = {}) => ({ name: 'x', ...more, steps: { a: step } })

describe('validate', () => {
  it('accepts the example of the format, and gives it back whole', () => {
    const result = validate(exampleDefinition())
    expect(result).toEqual({ ok: true, definition: exampleDefinition(), warnings: [] })
  })

  it('does not change what it is given', () => {
    const raw = { ...exampleDefinition(), budget: { usd: 1 }, bogus: 1 }
    const before = JSON.parse(JSON.stringify(raw))
    validate(raw)
    expect(raw).toEqual(before)
  })

  it.each<[string, unknown]>([
    ['an if that is true or false', one({ value: 1, if: false })],
    ['each over a list', one({ value: '${{ q }} ${{ index }}', each: { in: ['${{ input.a }}', 2], as: 'q' } })],
    ['a wait until a time', one({ wait: { until: '2030-01-31T12:00:00+01:00' } })],
    ['a wait that is computed', one({ wait: '${{ input.minutes }}m' })],
    ['messages', one({ llm: { model: MODEL, messages: [{ role: 'user', content: '${{ input }}' }] } })],
    ['a secret for a tool', one({ tool: 'http', with: { url: 'u', headers: { a: 'Bearer ${{ secrets.K }}' } } })],
    [
      'a field where more are allowed',
      one({ value: '${{ input.more }}' }, { input: { type: 'object', properties: {}, additionalProperties: true } }),
    ],
    ['a field behind a choice', one({ value: '${{ input.more }}' }, { input: { properties: {}, anyOf: [{}] } })],
    ['an approved payment', one({ tool: 'pay', effect: 'once', gate: true }, { irreversible: 'gate' })],
    ['a harmless tool under a gate', one({ tool: 'find', effect: 'read' }, { irreversible: 'gate' })],
    ['a variable of any other name', one({ value: '${{ [1].map(item, item) }}' })],
    ['null as a value', one({ value: null })],
    [
      'arguments of an agent tool',
      one({
        agent: {
          model: MODEL,
          prompt: 'x',
          tools: [
            {
              name: 'find',
              description: 'd',
              input: { type: 'object' },
              tool: 'http',
              with: { url: '${{ args.u }}${{ input.q }}', headers: { token: '${{ secrets.K }}' } },
            },
          ],
        },
      }),
    ],
  ])('accepts %s', (_, definition) => {
    expect(validate(definition)).toMatchObject({ ok: true })
  })

  it.each(RIGHT)('accepts %s', (_, definition) => {
    expect(validate(definition)).toMatchObject({ ok: true })
  })

  it('accepts the whole language, and gives it back whole', () => {
    expect(validate(wholeLanguage())).toEqual({ ok: true, definition: wholeLanguage(), warnings: [] })
  })

  it('names the whole circle', () => {
    const value = (step: string) => ({ value: `\${{ steps.${step}.output }}` })
    const result = validate({
      name: 'x',
      steps: { z: { value: 1 }, b: value('c'), a: value('b'), c: value('a'), d: value('a') },
    })
    expect(result.ok ? [] : result.errors).toEqual([
      { path: 'steps.b', code: 'cycle', message: 'these steps wait for each other: b → c → a → b' },
    ])
  })

  it('survives a chain of a thousand steps, and a circle of them', () => {
    const chain = (first: Json) =>
      Object.fromEntries(
        Array.from({ length: 1_000 }, (_, i) => [
          `s${i}`,
          i === 0 ? first : { value: `\${{ steps.s${i - 1}.output }}` },
        ]),
      )
    expect(validate({ name: 'x', steps: chain({ value: 1 }) })).toMatchObject({ ok: true })
    const backwards = Object.fromEntries(Object.entries(chain({ value: 1 })).reverse())
    expect(validate({ name: 'x', steps: backwards })).toMatchObject({ ok: true })
    const circle = validate({ name: 'x', steps: chain({ value: '${{ steps.s999.output }}' }) })
    expect(circle.ok ? [] : circle.errors.map((error) => error.code)).toEqual(['cycle'])
  })

  it('refuses what is nested without end', () => {
    let deep: Json = 1
    for (let i = 0; i < 5_000; i += 1) deep = [deep]
    expect(validate(one({ value: deep }))).toMatchObject({ ok: false, errors: [{ code: 'invalid_value' }] })
  })
})

describe('warnings', () => {
  it('tell of models without a price', () => {
    expect(warningsOf(one({ llm: { model: 'anthropic/claude-sonnet-5-6', prompt: 'x' } }))).toMatchObject([
      { path: 'steps.a.llm.model', code: 'unpriced_model', suggestion: MODEL },
    ])
  })

  it('tell of schemas that check less than they seem to', () => {
    const output = { type: 'object', propertis: {}, properties: { text: {} }, required: ['txet'], 'x-mine': 1 }
    expect(warningsOf(one({ llm: { model: MODEL, prompt: 'x', output } }))).toMatchObject([
      { path: 'steps.a.llm.output.propertis', code: 'schema_doubtful', suggestion: 'properties' },
      { path: 'steps.a.llm.output.required.0', code: 'schema_doubtful', suggestion: 'text' },
    ])
  })

  it('tell of what may happen twice', () => {
    expect(warningsOf(one({ tool: 'mail', effect: 'once', retry: { attempts: 3 } }))).toMatchObject([
      { path: 'steps.a.retry', code: 'once_is_retried' },
    ])
    expect(warningsOf(one({ tool: 'mail', effect: 'once', retry: { attempts: 1 } }))).toEqual([])
  })
})

/** A copy with one part replaced, taken out or renamed. */
const damaged = (value: Json, path: readonly number[], change: Json | undefined): Json => {
  const [first, ...rest] = path
  if (first === undefined || value === null || typeof value !== 'object') return change ?? null
  if (Array.isArray(value)) {
    const at = value.length === 0 ? 0 : first % value.length
    return value.map((item, i) => (i === at ? damaged(item, rest, change) : item))
  }
  const keys = Object.keys(value)
  const key = keys[first % Math.max(1, keys.length)]
  if (key === undefined) return change ?? null
  const { [key]: inner = null, ...others } = value
  if (rest.length === 0 && change === undefined) return others
  return { ...others, [key]: damaged(inner, rest, change) }
}

describe('any definition', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.constantFrom('${{ steps.report.output.text }}', '${{ item }}', '${{', '5m', 'tool', '${{ [1].map(x, x) }}'),
  )
  const changes = fc.oneof(fc.jsonValue({ maxDepth: 2 }), texts, fc.constant(undefined))

  it.each([
    ['the example', exampleDefinition, 50],
    ['the whole language', wholeLanguage, 50],
  ])('of %s is judged without a crash, and compiles when it passes', (_, made, enough) => {
    let passed = 0
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 9 }), changes, (path, change) => {
        const raw = damaged(JSON.parse(JSON.stringify(made())), path, change as Json | undefined)
        const result = validate(raw)
        if (!result.ok) {
          expect(result.errors.length).toBeGreaterThan(0)
          return
        }
        passed += 1
        const all = allSteps(result.definition.steps)
        const undone = all.filter(({ step }) => step.compensate)
        expect(compile(result.definition, 'h').steps.size).toBe(all.length + undone.length)
      }),
      { numRuns: 1_000 },
    )
    expect(passed).toBeGreaterThan(enough)
  })

  it('may be any JSON at all', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (raw) => {
        expect(validate(raw).ok).toBe(false)
      }),
      { numRuns: 500 },
    )
  })
})
