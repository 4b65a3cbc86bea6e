// docs/guide/authoring.md shows what the commands print, to the letter: its files are written, its commands are run.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { main } from './program.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const page = readFileSync(join(root, 'docs/guide/authoring.md'), 'utf8')

/** Fences with a file's name behind the language. */
const files = [...page.matchAll(/^```(?:yaml|json) (\S+)\n([\s\S]*?)^```$/gm)]
/** `$ stepfleet …` (a `\` at the end goes on), and what it prints. */
const sessions = [...page.matchAll(/^```console\n\$ stepfleet ((?:.*\\\n)*.*)\n([\s\S]*?)^```$/gm)].map(
  ([, command = '', printed = '']) => ({ command: command.replace(/\\\n\s*/g, ''), printed }),
)

/** Words as a shell takes them apart, as far as the page needs it: single quotes. */
const words = (command: string): string[] =>
  [...command.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''))

let folder: string
const before = process.cwd()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepfleet-doc-'))
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
  for (const [, name = '', text = ''] of files) writeFileSync(join(folder, name), text)
  process.chdir(folder)
})
afterAll(() => {
  process.chdir(before)
  rmSync(folder, { recursive: true })
  process.exitCode = 0
})

const run = async (command: string): Promise<string> => {
  let printed = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text
    return true
  })
  await main(words(command))
  write.mockRestore()
  return printed
}

describe('docs/guide/authoring.md', () => {
  it('shows files and commands', () => {
    expect(files.length).toBeGreaterThan(1)
    expect(sessions.length).toBeGreaterThan(2)
  })

  it.each(sessions)('stepfleet $command', async ({ command, printed }) => {
    const now = await run(command)
    // an ellipsis on a line of its own stands for lines that the page leaves out
    const [head = '', ...rest] = printed.split(/^…\n/m)
    expect(now.startsWith(head), `the page must begin with what is printed:\n${now}`).toBe(true)
    for (const part of rest) expect(now).toContain(part)
    if (rest.length === 0) expect(now).toBe(printed)
  })
})
