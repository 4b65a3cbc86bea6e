// The supervisor with tiny children: readiness, restarts, order, and the guard that outlives a killed parent.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSupervisor, type ProcessSpec, type Supervisor, type SupervisorEvent } from './supervise.ts'

let dir: string
let supervisor: Supervisor
let events: SupervisorEvent[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stepfleet-supervise-'))
  events = []
  supervisor = createSupervisor({ onEvent: (event) => events.push(event) })
})
afterEach(() => {
  supervisor.killAll()
  rmSync(dir, { recursive: true, force: true })
})

const SERVER = `
  const { createServer } = require('node:http')
  createServer((_, response) => response.end('ok')).listen(Number(process.env.PORT), '127.0.0.1')
  console.log('up', process.env.PORT)
`
const STUBBORN = `${SERVER}; process.on('SIGTERM', () => console.log('no'))`

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })

const specOf = async (name: string, source: string): Promise<ProcessSpec> => {
  const port = await freePort()
  return {
    name,
    args: ['-e', source],
    env: { PORT: String(port) },
    cwd: dir,
    logFile: join(dir, 'logs', `${name}.log`),
    readyUrl: `http://127.0.0.1:${port}/`,
  }
}

const until = async (check: () => boolean): Promise<void> => {
  const end = Date.now() + 10_000
  while (!check()) {
    if (Date.now() > end) throw new Error('waited 10 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('supervisor', () => {
  it('starts, is ready, keeps the log, and stops', async () => {
    supervisor.start(await specOf('web', SERVER))
    await supervisor.ready('web', 10_000)
    const pid = supervisor.pids().web ?? 0
    expect(isAlive(pid)).toBe(true)
    await supervisor.stop(['web'], 5_000)
    expect(isAlive(pid)).toBe(false)
    expect(supervisor.pids()).toEqual({})
    expect(readFileSync(join(dir, 'logs/web.log'), 'utf8')).toMatch(/^up \d+\n$/)
    expect(events.map((event) => event.type)).toEqual(['started'])
  })

  it('starts again what was killed, and says so', async () => {
    supervisor.start(await specOf('web', SERVER))
    await supervisor.ready('web', 10_000)
    const first = supervisor.pids().web ?? 0
    process.kill(first, 'SIGKILL')
    await until(() => events.filter((event) => event.type === 'started').length === 2)
    await supervisor.ready('web', 10_000)
    expect(supervisor.pids().web).not.toBe(first)
    expect(events[1]).toEqual({ type: 'died', name: 'web', pid: first, how: 'SIGKILL', restartInMs: 200 })
  })

  it('gives up on what cannot start, with the end of its log, and waits longer each time', async () => {
    supervisor.start(await specOf('broken', 'console.error("no such setting"); process.exit(7)'))
    await expect(supervisor.ready('broken', 20_000)).rejects.toThrow(/ended 3 times[\s\S]*no such setting/)
    const waits = events.flatMap((event) => (event.type === 'died' ? [event.restartInMs] : []))
    expect(waits.slice(0, 3)).toEqual([200, 400, 800])
    expect(events.find((event) => event.type === 'died')).toMatchObject({ how: 'exit code 7' })
  })

  it('kills what does not stop in time', async () => {
    supervisor.start(await specOf('stubborn', STUBBORN))
    await supervisor.ready('stubborn', 10_000)
    const pid = supervisor.pids().stubborn ?? 0
    await supervisor.stop(['stubborn'], 100)
    expect(isAlive(pid)).toBe(false)
    expect(readFileSync(join(dir, 'logs/stubborn.log'), 'utf8')).toContain('no')
  })

  it('stops what is waiting to be started again', async () => {
    supervisor.start(await specOf('flapping', 'process.exit(1)'))
    await until(() => events.some((event) => event.type === 'died'))
    await supervisor.stop(['flapping'], 1_000)
    const count = events.length
    await expect(supervisor.ready('flapping', 5_000)).rejects.toThrow('is being stopped')
    expect(events).toHaveLength(count)
  })
})

describe('guard', () => {
  it('ends what a killed parent leaves behind, and only what it was told of', async () => {
    const guard = fileURLToPath(new URL('./guard.ts', import.meta.url))
    const parent = join(dir, 'parent.cjs')
    // a parent that is killed without a word: two children, one of them taken off the list
    writeFileSync(
      parent,
      `const { spawn } = require('node:child_process')
       const child = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' }).pid
       const guard = spawn(process.execPath, ['--import', 'tsx', ${JSON.stringify(guard)}], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: ${JSON.stringify(process.cwd())} })
       const [a, b] = [child(), child()]
       guard.stdin.write('+' + a + '\\n+' + b + '\\n-' + b + '\\n', () => console.log(JSON.stringify([a, b])))
       setInterval(() => {}, 1000)`,
    )
    const child = spawn(process.execPath, [parent], { stdio: ['ignore', 'pipe', 'inherit'] })
    const pids = await new Promise<[number, number]>((resolve) =>
      child.stdout.once('data', (text) => resolve(JSON.parse(String(text)))),
    )
    try {
      expect(pids.map(isAlive)).toEqual([true, true])
      child.kill('SIGKILL')
      await until(() => !isAlive(pids[0]))
      expect(isAlive(pids[1])).toBe(true)
    } finally {
      process.kill(pids[1], 'SIGKILL')
    }
  })
})
