// docs/guide/patterns.md: every workflow on it passes registration, every link leads somewhere, every command can be given.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { validate } from '@stepfleet/engine'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { root } from './steps.mjs'

const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const PAGE = 'docs/guide/patterns.md'
const page = read(PAGE)

interface Pattern {
  heading: string
  text: string
  /** Its workflow, as it stands there. */
  yaml: string[]
}

const fencesIn = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, inner = '']) => inner)

const sections: Pattern[] = page
  .split(/^## /m)
  .slice(1)
  .map((text) => {
    const heading = text.slice(0, text.indexOf('\n'))
    return { heading, text, yaml: fencesIn(text, 'yaml') }
  })
/** Rows of the table at the top: the patterns that there are. */
const patterns = [...page.matchAll(/^\| \[(.+?)\]\(#/gm)].map(([, name = '']) => name)

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(/\s/g, '-')
const anchorsIn = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading))

describe(PAGE, () => {
  it('has a section for each row of its table, with one workflow, and says what it costs and how it fails', () => {
    const shown = sections.filter(({ yaml }) => yaml.length > 0)
    expect(shown.map(({ heading }) => heading)).toEqual(patterns)
    expect(patterns.length).toBeGreaterThanOrEqual(10)
    for (const { heading, text, yaml } of shown) {
      expect(yaml, heading).toHaveLength(1)
      for (const word of ['- **Costs**', '- **Fails**', '- **Runs**', '](../../examples/'])
        expect(text, heading).toContain(word)
    }
  })

  it.each(sections.flatMap(({ heading, yaml }) => yaml.map((text) => [heading, text] as const)))(
    '%s passes registration',
    (_, text) => {
      expect(validate(parse(text))).toMatchObject({ ok: true, warnings: [] })
    },
  )

  const links = [...new Set([...page.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target))]
  it.each(links)('%s leads somewhere', (target) => {
    const [file = '', anchor] = target.split('#')
    const path = file === '' ? PAGE : join(dirname(PAGE), file)
    expect(existsSync(join(root, path)), path).toBe(true)
    if (anchor !== undefined) expect(anchorsIn(read(path))).toContain(anchor)
  })
})

describe('its commands', () => {
  const commands = fencesIn(page, 'sh').flatMap((fence) => fence.trim().split('\n'))
  const runs = commands.filter((command) => command.startsWith('stepfleet run '))
  it('are those of the examples', () => expect(runs.length).toBeGreaterThanOrEqual(10))

  it.each(runs)('%s: the example is right, and takes the input', (command) => {
    const [, file = '', given = ''] = /^stepfleet run (\S+) --input (?:'(.+)'|@\S+) --watch$/.exec(command) ?? []
    const input: unknown = JSON.parse(given || read(/@(\S+)/.exec(command)?.[1] ?? ''))
    const checked = validate(parse(read(file)))
    if (!checked.ok) throw new Error(JSON.stringify(checked.errors))
    const isRight = new Ajv2020({ strict: false }).compile(checked.definition.input ?? {})
    expect(isRight(input), JSON.stringify(isRight.errors)).toBe(true)
  })
})
