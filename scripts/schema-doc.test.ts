// schema/workflow.schema.json is what the shapes say; it takes what is right, and refuses what is wrong.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { definitionSchema, STEP_KINDS, stepSchema, workflowJsonSchema } from '@stepfleet/contracts'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { root } from './steps.mjs'

const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const schema = workflowJsonSchema()
// strict for what ajv calls mistakes of a schema; unions of types are none
const check = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(schema)
const refusals = (definition: unknown): string[] =>
  check(definition) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)

const MODEL = 'anthropic/claude-haiku-5-5'
const offered = { name: 't', description: 'd', input: { type: 'object' } }
const INLINE_TOOLS = [
  { ...offered, tool: 'http', with: { url: '${{ args.url }}' }, effect: 'read' },
  { ...offered, run: { workflow: 'other', input: {} } },
  { ...offered, approval: { assignee: 'ops' } },
]
const JOINS = ['all', 'any', 'settled', { atLeast: 2 }].map((join, at) => [
  `j${at}`,
  { each: { in: '${{ input.list }}', join }, value: '${{ item }}' },
])
const step = (body: object): object => ({ name: 'w', steps: { a: body } })

describe('schema/workflow.schema.json', () => {
  it('is generated: run `npm run schema`', () => {
    const written = JSON.stringify(JSON.parse(read('schema/workflow.schema.json')))
    expect(written, 'schema/workflow.schema.json is out of date: run `npm run schema`').toBe(JSON.stringify(schema))
  })

  it('helps with every field: each has a description', () => {
    const silent: string[] = []
    const visit = (value: unknown, place: string): void => {
      if (typeof value !== 'object' || value === null) return
      for (const [key, member] of Object.entries(value)) {
        if (key === 'properties')
          for (const [field, shape] of Object.entries(member as object))
            if (!('description' in shape)) silent.push(`${place}.${field}`)
        visit(member, `${place}.${key}`)
      }
    }
    visit(schema, '')
    // fields of small maps inside of fields that say it
    const inner = /\.(wait\.anyOf|join\.anyOf|on_failure\.anyOf|messages\.items|defaults|per_day)\b/
    expect(silent.filter((place) => !inner.test(place))).toEqual([])
  })

  it('has every field of a definition and of a step', () => {
    const fields = (shape: unknown): string[] => Object.keys((shape as { properties: object }).properties)
    expect(fields(schema)).toEqual(Object.keys(definitionSchema.shape))
    const { step: stepShape } = schema.$defs as { step: unknown }
    expect(fields(stepShape)).toEqual(Object.keys(stepSchema.shape))
  })
})

describe('it takes', () => {
  const examples = readdirSync(join(root, 'examples')).filter((file) => /\.ya?ml$/.test(file))
  it('finds examples', () => expect(examples.length).toBeGreaterThan(0))
  it.each(examples)('examples/%s', (file) => expect(refusals(parse(read(`examples/${file}`)))).toEqual([]))

  it.each(['README.md', 'docs/reference/workflow.md', 'docs/guide/authoring.md'])('the workflows in %s', (file) => {
    const blocks = [...read(file).matchAll(/```yaml(?: (?!wrong)\S+)?\n([\s\S]*?)```/g)].map(([, text = '']) =>
      parse(text),
    )
    const workflows = blocks.filter((block) => typeof block === 'object' && 'name' in block && 'steps' in block)
    expect(workflows.length).toBeGreaterThan(0)
    for (const workflow of workflows) expect(refusals(workflow)).toEqual([])
  })

  it.each<[string, object]>([
    [
      'an agent with every sort of tool',
      step({ agent: { model: MODEL, prompt: 'x', tools: ['lookup', ...INLINE_TOOLS] } }),
    ],
    ['a block in a block', step({ steps: { b: { steps: { c: { value: 1 } }, output: '${{ steps.c.output }}' } } })],
    ['a child by name', step({ run: 'other@3' })],
    ['a wait for an expression', step({ wait: '${{ input.pause }}' })],
    ['a null', step({ value: null })],
    ['every join', { name: 'w', steps: Object.fromEntries(JOINS) }],
    [
      'a compensation',
      step({ tool: 'mail', with: {}, compensate: { tool: 'unmail', with: { id: '${{ output.id }}' } } }),
    ],
    ['a limit and a cache', step({ value: 1, rate: { key: 'k', limit: 1, per: '1s' }, cache: { ttl: '1h' } })],
  ])('%s', (_, definition) => expect(refusals(definition)).toEqual([]))
})

describe('it refuses', () => {
  it.each<[string, object, string]>([
    ['a definition without steps', { name: 'w' }, "must have required property 'steps'"],
    ['no steps at all', { name: 'w', steps: {} }, '/steps must NOT have fewer than 1 properties'],
    ['a step without a kind', step({ needs: [] }), '/steps/a must match exactly one schema in oneOf'],
    ['a step of two kinds', step({ value: 1, wait: '1s' }), '/steps/a must match exactly one schema in oneOf'],
    [
      'two kinds in a block',
      step({ steps: { b: { value: 1, wait: '1s' } } }),
      '/steps/a/steps/b must match exactly one',
    ],
    ['a mistyped field', step({ value: 1, retires: {} }), '/steps/a must NOT have additional properties'],
    ['a field that is not built', step({ value: 1, thread: true }), '/steps/a must NOT have additional properties'],
    ['a name with a capital', { name: 'w', steps: { Draft: { value: 1 } } }, '/steps property name must be valid'],
    ['a duration in words', step({ tool: 'x', timeout: '10 minutes' }), '/steps/a/timeout must match pattern'],
    ['a number as text', step({ value: 1, priority: '3' }), '/steps/a/priority must be integer'],
    ['an odd effect', step({ tool: 'x', effect: 'twice' }), '/steps/a/effect must be equal to one of'],
    ['a model without its provider', step({ llm: { model: 'claude', prompt: 'x' } }), '/steps/a/llm/model must match'],
    [
      'prompt and messages',
      step({ llm: { model: MODEL, prompt: 'x', messages: [{ role: 'user', content: 'x' }] } }),
      '/steps/a/llm must match exactly one',
    ],
    ['`with` without a tool', step({ value: 1, with: {} }), '/steps/a must have property tool'],
    ['`output` without a block', step({ value: 1, output: 1 }), '/steps/a must have property steps'],
    [
      'a repeat without `max`',
      step({ value: 1, repeat: { until: '${{ true }}' } }),
      "/steps/a/repeat must have required property 'max'",
    ],
    ['a compensation of no kind', step({ value: 1, compensate: {} }), '/steps/a/compensate must match exactly one'],
    ['a run within a run', step({ run: { workflow: 'w', wait: true } }), '/steps/a/run must NOT have additional'],
  ])('%s', (_, definition, message) => {
    expect(refusals(definition).join('\n')).toContain(message)
  })

  it('names every kind in its rule', () => {
    const { step: shape } = schema.$defs as { step: { oneOf: { required: string[] }[] } }
    expect(shape.oneOf.flatMap(({ required }) => required)).toEqual([...STEP_KINDS])
  })
})
