// The end of a process: order, failures, signals, limit.
import { afterEach, describe, expect, it } from 'vitest'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'
import { createLogger } from './logger.ts'

interface Line {
  level: string
  msg: string
  part?: string
  ms?: number
}

const setUp = (limitMs?: number) => {
  const lines: Line[] = []
  const logger = createLogger('test', 'info', { write: (line) => lines.push(JSON.parse(line)) })
  let left: (code: number) => void = () => {}
  const exited = new Promise<number>((resolve) => {
    left = resolve
  })
  const codes: number[] = []
  const exit = (code: number): void => {
    codes.push(code)
    left(code)
  }
  const lifecycle = createLifecycle(logger, limitMs === undefined ? { exit } : { exit, limitMs })
  return { lifecycle, lines, exited, codes }
}

// a stop that begins when the test says so, and ends when it says so
const gate = () => {
  let open: () => void = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

const listen = (lifecycle: Lifecycle): void => lifecycle.listen()
const emit = (signal: NodeJS.Signals): boolean => process.emit(signal, signal)

describe('stop', () => {
  it('runs in reverse order, one after the other, each logged with its time', async () => {
    const { lifecycle, lines } = setUp()
    const order: string[] = []
    for (const name of ['redis', 'consumer', 'http']) {
      lifecycle.onStop(name, async () => {
        order.push(`${name} begins`)
        await new Promise((resolve) => setImmediate(resolve))
        order.push(`${name} ends`)
      })
    }
    await lifecycle.stop()
    expect(order).toEqual(['http', 'consumer', 'redis'].flatMap((name) => [`${name} begins`, `${name} ends`]))
    expect(lines.map((line) => line.part)).toEqual(['http', 'consumer', 'redis'])
    for (const line of lines) expect(line.ms).toBeGreaterThanOrEqual(0)
  })

  it('goes on after a part that fails, and tells which', async () => {
    const { lifecycle, lines } = setUp()
    let redisStopped = false
    lifecycle.onStop('redis', async () => {
      redisStopped = true
    })
    lifecycle.onStop('consumer', () => Promise.reject(new Error('stuck')))
    await lifecycle.stop()
    expect(redisStopped).toBe(true)
    expect(lines[0]).toMatchObject({ level: 'error', part: 'consumer', err: { message: 'stuck' } })
  })

  it('happens once, however often it is asked for', async () => {
    const { lifecycle } = setUp()
    let stops = 0
    lifecycle.onStop('part', async () => {
      stops += 1
    })
    await Promise.all([lifecycle.stop(), lifecycle.stop()])
    await lifecycle.stop()
    expect(stops).toBe(1)
  })

  it('aborts `stopping` before the first part stops', async () => {
    const { lifecycle } = setUp()
    const seen: boolean[] = []
    lifecycle.onStop('part', async () => {
      seen.push(lifecycle.stopping.aborted)
    })
    expect(lifecycle.stopping.aborted).toBe(false)
    await lifecycle.stop()
    expect(seen).toEqual([true])
  })

  it('also stops a part that was registered while it ran', async () => {
    const { lifecycle } = setUp()
    let late = false
    lifecycle.onStop('first', async () => {
      lifecycle.onStop('late', async () => {
        late = true
      })
    })
    await lifecycle.stop()
    expect(late).toBe(true)
  })
})

describe('signals', () => {
  const before = { term: process.listeners('SIGTERM'), int: process.listeners('SIGINT') }
  afterEach(() => {
    for (const one of process.listeners('SIGTERM')) if (!before.term.includes(one)) process.off('SIGTERM', one)
    for (const one of process.listeners('SIGINT')) if (!before.int.includes(one)) process.off('SIGINT', one)
  })

  it('SIGTERM stops and leaves with 0', async () => {
    const { lifecycle, exited } = setUp()
    let stopped = false
    lifecycle.onStop('part', async () => {
      stopped = true
    })
    listen(lifecycle)
    emit('SIGTERM')
    expect(await exited).toBe(0)
    expect(stopped).toBe(true)
  })

  it('leaves with 1 when a part failed', async () => {
    const { lifecycle, exited } = setUp()
    lifecycle.onStop('part', () => Promise.reject(new Error('no')))
    listen(lifecycle)
    emit('SIGINT')
    expect(await exited).toBe(1)
  })

  it('a second signal leaves at once with 1, and names what it waited for', async () => {
    const { lifecycle, exited, codes, lines } = setUp()
    const { passed, open } = gate()
    lifecycle.onStop('slow', () => passed)
    listen(lifecycle)
    emit('SIGTERM')
    expect(codes).toEqual([])
    emit('SIGTERM')
    expect(await exited).toBe(1)
    expect(lines.at(-1)).toMatchObject({ level: 'warn', part: 'slow' })
    open()
  })

  it('leaves with 1 when the parts take longer than the limit', async () => {
    const { lifecycle, exited, lines } = setUp(10)
    const { passed, open } = gate()
    lifecycle.onStop('stuck', () => passed)
    listen(lifecycle)
    emit('SIGTERM')
    expect(await exited).toBe(1)
    expect(lines.at(-1)).toMatchObject({ level: 'error', part: 'stuck' })
    open()
  })
})
