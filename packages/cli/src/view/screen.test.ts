// The screen redraws in place on a terminal and stays silent elsewhere; the watcher follows a run over an outage.
import { createClient } from '@stepfleet/client'
import { describe, expect, it } from 'vitest'
import { createScreen } from './screen.ts'
import { watchRun } from './watch.ts'

const sink = (more: object = {}) => {
  const written: string[] = []
  return { written, write: (text: string) => written.push(text), ...more }
}

describe('createScreen', () => {
  it('takes back as many lines as it drew', () => {
    const out = sink({ isTTY: true, columns: 80, rows: 24 })
    const screen = createScreen(out)
    screen.draw(['one', 'two'])
    screen.draw(['three'])
    expect(out.written).toEqual(['one\ntwo\n', '\u001b[2A\u001b[0Jthree\n'])
  })
  it('keeps printed lines above the picture', () => {
    const out = sink({ isTTY: true })
    const screen = createScreen(out)
    screen.draw(['picture'])
    screen.print('news')
    expect(out.written.at(-1)).toBe('\u001b[1A\u001b[0Jnews\npicture\n')
    screen.release()
    screen.draw(['next'])
    expect(out.written.at(-1)).toBe('next\n')
  })
  it('writes no control sequence where it is no terminal', () => {
    const out = sink()
    const screen = createScreen(out)
    screen.draw(['picture'])
    screen.print('news')
    expect(out.written).toEqual(['news\n'])
    expect(screen.live).toBe(false)
  })
})

describe('watchRun', () => {
  const run = (status: string) => ({
    id: 'r',
    status,
    createdAtMs: 0,
    endedAtMs: null,
    why: null,
    steps: [],
    workflow: { name: 'w', version: 1, hash: 'h' },
  })

  it('goes on while the API is away and ends with the run', async () => {
    const answers = [run('running'), null, null, run('running'), run('completed')]
    const client = createClient({
      url: 'http://api',
      fetch: async () => {
        const next = answers.shift()
        if (next === null) throw new TypeError('fetch failed')
        return new Response(JSON.stringify(next))
      },
    })
    const out = sink()
    const seen: string[] = []
    const last = await watchRun(client, 'r', {
      screen: createScreen(out),
      color: false,
      signal: new AbortController().signal,
      onView: (view) => seen.push(view.status),
      everyMs: 1,
    })
    expect(last?.status).toBe('completed')
    expect(seen).toEqual(['running', 'running', 'completed'])
    expect(out.written.filter((text) => text.includes('does not answer'))).toHaveLength(1)
  })

  it('passes on what is no outage', async () => {
    const problem = { type: 't', title: 'no such run', status: 404, code: 'unknown_run' }
    const client = createClient({
      url: 'http://api',
      fetch: async () => new Response(JSON.stringify(problem), { status: 404 }),
    })
    const options = { screen: createScreen(sink()), color: false, signal: new AbortController().signal }
    await expect(watchRun(client, 'r', options)).rejects.toMatchObject({ code: 'unknown_run' })
  })
})
