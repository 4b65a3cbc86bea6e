// `stepfleet workflows …` as an author meets it: files in, places and exit codes out; a small server plays the API.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from './program.ts'

const GOOD = `name: greet
input: { type: object, required: [name], properties: { name: { type: string } } }
steps:
  hello:
    value: Hello \${{ input.name }}
output: \${{ steps.hello.output }}
`
const BAD = `name: greet
steps:
  hello:
    value: Hello
  send:
    tool: mail
    with: { text: "\${{ steps.helo.output }}" }
    timout: 3s
`
const DAY = `name: day
steps:
  draft:
    llm: { model: anthropic/claude-haiku-5-5, prompt: "Write" }
  night:
    wait: 26h
    needs: [draft]
  send:
    tool: mail
    effect: once
    needs: [night]
    with: { text: "\${{ steps.draft.output }}" }
    retry: { attempts: 3, initial: 10s }
`

let server: Server
let url: string
let answer: { status: number; body: unknown }
let asked: string[]
let out: string
let err: string
let folder: string

beforeEach(async () => {
  asked = []
  out = ''
  err = ''
  answer = { status: 200, body: {} }
  folder = await mkdtemp(join(tmpdir(), 'stepfleet-cli-'))
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes) => {
      body += bytes
    })
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${body}`)
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text
    return true
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
  process.exitCode = 0
})

const file = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}
const workflows = async (...args: string[]): Promise<number> => {
  process.exitCode = 0
  await main(['workflows', ...args, '--url', url])
  return Number(process.exitCode)
}
const lines = (text: string): string[] => text.replaceAll(`${folder}/`, '').split('\n')

describe('workflows validate', () => {
  it('says nothing but valid of a good file, and asks no server', async () => {
    expect(await workflows('validate', await file('good.yaml', GOOD))).toBe(0)
    expect(lines(out)).toEqual(['good.yaml: valid', ''])
    expect(asked).toEqual([])
  })

  it('prints every error with its line and a mark, of several files', async () => {
    const [bad, good] = [
      await file('bad.yaml', BAD),
      await file('good.json', JSON.stringify({ name: 'w', steps: { a: { value: 1 } } })),
    ]
    expect(await workflows('validate', bad, good)).toBe(1)
    const told = lines(out)
    const at = told.findIndex((text) => text.startsWith('bad.yaml:7:30: error unknown_step: '))
    expect(told.slice(at + 1, at + 4)).toEqual([
      ' 7 │     with: { text: "${{ steps.helo.output }}" }',
      '   │                              ^^^^',
      '   │ did you mean `hello`?',
    ])
    expect(told.find((text) => text.startsWith('bad.yaml:8:5: error unknown_field: '))).toBeDefined()
    expect(told.slice(-3)).toEqual(['good.json: valid', '2 errors', ''])
  })

  it('prints every syntax error, and judges nothing else then', async () => {
    expect(await workflows('validate', await file('bad.yaml', 'name: [a\nsteps:\n  a: "x\n'))).toBe(1)
    expect(lines(out).filter((text) => text.includes(': error ')).length).toBeGreaterThan(1)
    expect(lines(out).filter((text) => text.includes(': error ') && !text.includes(': error syntax'))).toEqual([])
  })

  it('prints warnings with their places, and they are no errors', async () => {
    const text = BAD.replace('helo', 'hello').replace('timout: 3s', 'effect: once\n    retry: { attempts: 2 }')
    expect(await workflows('validate', await file('warned.yaml', text))).toBe(0)
    expect(lines(out)[0]).toMatch(/^warned\.yaml:9:5: warning once_is_retried: /)
    expect(lines(out).slice(-3)).toEqual(['warned.yaml: valid', '1 warning', ''])
  })

  it('tells the same as JSON', async () => {
    const [bad, good] = [await file('bad.yaml', BAD), await file('good.yaml', GOOD)]
    expect(await workflows('validate', bad, good, '--json')).toBe(1)
    const told = JSON.parse(out)
    expect(told).toMatchObject({
      valid: false,
      files: [
        { file: bad, valid: false },
        { file: good, valid: true, errors: [] },
      ],
    })
    expect(told.files[0].errors).toContainEqual(
      expect.objectContaining({
        path: 'steps.send.timout',
        code: 'unknown_field',
        suggestion: 'timeout',
        line: 8,
        column: 5,
        length: 6,
      }),
    )
  })

  it('exits with 2 for a file that is not there', async () => {
    expect(await workflows('validate', join(folder, 'none.yaml'))).toBe(2)
    expect(err).toContain('cannot read')
  })
})

describe('workflows push', () => {
  const refused = (errors: object[], code = 'invalid_definition', status = 422): void => {
    answer = { status, body: { type: 't', title: 'The definition is not valid', status, code, errors } }
  }

  it('sends the text as it is, and places the warnings', async () => {
    const warning = { path: 'steps.send.tool', code: 'unknown_tool', message: 'no worker serves it' }
    answer = { status: 201, body: { name: 'greet', version: 2, hash: 'h', created: true, warnings: [warning] } }
    expect(await workflows('push', await file('w.yaml', BAD))).toBe(0)
    expect(asked).toEqual([`POST /v1/workflows ${BAD}`])
    expect(out).toBe('greet@2 registered\n')
    expect(lines(err)[0]).toBe('w.yaml:6:11: warning unknown_tool: no worker serves it')
  })

  it('shows where in the file it is that the server refuses', async () => {
    refused([
      {
        path: 'steps.send.timout',
        code: 'unknown_field',
        message: 'a step has no field `timout`',
        suggestion: 'timeout',
      },
    ])
    expect(await workflows('push', await file('w.yaml', BAD))).toBe(1)
    expect(lines(err)).toEqual([
      'stepfleet: The definition is not valid [invalid_definition]',
      'w.yaml:8:5: error unknown_field: a step has no field `timout`',
      ' 8 │     timout: 3s',
      '   │     ^^^^^^',
      '   │ did you mean `timeout`?',
      '1 error',
      '',
    ])
  })

  it('tells all syntax errors where the server tells the first', async () => {
    refused([{ path: 'line 1, column 1', code: 'syntax', message: 'x' }], 'invalid_json', 400)
    await workflows('push', await file('w.yaml', 'a: [b\nc: "d\n'))
    expect(lines(err).filter((text) => text.includes(': error syntax')).length).toBeGreaterThan(1)
  })

  it('shows other problems as they are', async () => {
    refused([{ path: 'header', code: 'c', message: 'no' }], 'bad_request', 400)
    expect(await workflows('push', await file('w.yaml', BAD))).toBe(1)
    expect(err).toContain('[bad_request]')
    expect(err).not.toContain('w.yaml')
  })

  it('is how `run` of a file tells it too', async () => {
    refused([{ path: 'steps.send.timout', code: 'unknown_field', message: 'm' }])
    await main(['run', await file('w.yaml', BAD), '--url', url])
    expect(lines(err)[1]).toBe('w.yaml:8:5: error unknown_field: m')
  })
})

describe('workflows simulate', () => {
  const day = async (...args: string[]): Promise<number> => workflows('simulate', await file('day.yaml', DAY), ...args)

  it('runs a day in a moment: the timeline, the tree, the cost', async () => {
    expect(await day('--mock', 'draft="A letter"', '--mock', 'send={"ok":true}')).toBe(0)
    expect(out).toMatch(/^timeline$/m)
    expect(out).toMatch(/^ +26h00m +send /m)
    expect(out).toMatch(/^day simulated {2}completed {2}26h00m$/m)
    expect(out).toMatch(/^ {2}✓ night +26h00m$/m)
    expect(out).toMatch(/^ {2}1 model call, about \d+ tokens in and \d+ out, under \$0\.0001 \(an estimate/m)
    expect(asked).toEqual([])
  })

  it('fails an attempt when asked to, and goes on', async () => {
    const mocks = await file('mocks.yaml', 'draft: A letter\nsend: { ok: true }\n')
    expect(await day('--mocks', mocks, '--fail', 'draft=rate_limited', '--crash-after', 'night', '--json')).toBe(0)
    const { status, steps, unused } = JSON.parse(out)
    expect([status, unused]).toEqual(['completed', []])
    expect(steps.find((step: { path: string }) => step.path === 'draft')).toMatchObject({
      attempts: 2,
      output: 'A letter',
    })
  })

  it('reads mocks from files by their ending, and the command line goes before the file of many', async () => {
    const [many, one] = [await file('m.yml', 'draft: old\nsend: {}\n'), await file('one.json', '"new"')]
    expect(await day('--mocks', many, '--mock', `draft=${one}`, '--json')).toBe(0)
    expect(JSON.parse(out).steps[0].output).toBe('new')
  })

  it('exits as the run would: failed, or still waiting for somebody', async () => {
    const waiting = await file('ask.yaml', 'name: ask\nsteps:\n  ok: { approval: { show: hello } }\n')
    expect(await workflows('simulate', waiting)).toBe(5)
    expect(out).toMatch(/^still waiting\n {2}ok: /m)
    out = ''
    expect(await workflows('simulate', waiting, '--answer', 'ok={"approved": true, "by": "ada"}')).toBe(0)
    expect(out).toContain('"by": "ada"')
    const fails = await file('fails.yaml', 'name: f\nsteps:\n  a: { tool: x, effect: read, on_failure: fail }\n')
    expect(await workflows('simulate', fails, '--mock', 'a={"fail": "bad_request"}')).toBe(3)
  })

  it('refuses a wrong file with places, and wrong options with a reason', async () => {
    expect(await workflows('simulate', await file('bad.yaml', BAD))).toBe(1)
    expect(lines(err)[0]).toMatch(/^bad\.yaml:7:30: error unknown_step/)
    const wrong: [string[], string][] = [
      [['--fail', 'draft=rate_limitd'], 'did you mean rate_limited?'],
      [['--fail', 'draft=timeout@0'], 'an attempt is a number from 1'],
      [['--mock', 'draft=letter'], 'neither JSON nor a file'],
      [['--mock', 'draft'], 'name=value'],
      [['--mock', 'nobody=1'], 'nobody'],
      [['--answer', 'send="yes"'], 'an answer is a map'],
    ]
    for (const [args, message] of wrong) {
      err = ''
      expect([args, await day(...args)]).toEqual([args, 2])
      expect(err).toContain(message)
    }
  })

  it('checks the input against the schema', async () => {
    const good = await file('good.yaml', GOOD)
    expect(await workflows('simulate', good, '--input', '{"name": 1}')).toBe(2)
    expect(err).toContain('input.name')
    expect(await workflows('simulate', good, '--input', '{"name": "Ada"}')).toBe(0)
    expect(out).toContain('"Hello Ada"')
  })
})
