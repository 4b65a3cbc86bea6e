// Writes the golden journals of a release, once, before it ships:
//   STEPFLEET_GOLDEN=v1 npx vitest run packages/engine/src/golden.generate.test.ts
// Without the variable it only tells every story, so that the stories stay playable.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkLaws } from './laws.ts'
import { begin, give, reload, value, WAITING, wait } from './scenarios/code.fixture.ts'
import { AMBIGUOUS, calls, MODEL, moduleTool, PERMANENT, says, workflow } from './scenarios/things.fixture.ts'
import { World } from './scenarios/world.fixture.ts'
import { fold } from './state/fold.ts'
import { toSnapshot } from './state/snapshot.ts'
import { createState } from './state/state.ts'

const TOOLS = { tools: [moduleTool('find', 'read'), moduleTool('put', 'idempotent'), moduleTool('mail', 'once')] }
const make = (steps: Parameters<typeof workflow>[0], more = {}, options = {}) =>
  new World(workflow(steps, more), { ...TOOLS, ...options })

/** A run of it is done: what it came to. */
type Told = Pick<World, 'events' | 'plan'>

const stories: Record<string, () => Told> = {
  straight: () => {
    const w = make(
      {
        ask: { llm: { model: MODEL, prompt: 'about ${{ input.topic }}' } },
        find: { tool: 'find', with: { q: '${{ steps.ask.output }}' } },
        both: { value: ['${{ steps.ask.output }}', '${{ steps.find.output }}'] },
      },
      { output: { text: '${{ steps.both.output }}' } },
    )
    w.give({
      id: 'start-1',
      ns: 'default',
      run: 'r1',
      by: { kind: 'caller', id: 'key-a' },
      type: 'start',
      trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b' },
      workflow: { name: 'scenario', version: 3, hash: 'hash' },
      input: { value: { topic: 'rivers' } },
      labels: { team: 'maps' },
      priority: 2,
      env: { REGION: 'eu' },
    })
    w.nowMs += 40
    w.done('ask', 'the Rhine')
    w.nowMs += 7
    w.done('find', { hits: 3 })
    return w
  },
  skips: () => {
    const w = make({
      a: { tool: 'find', if: '${{ input.yes }}' },
      b: { value: 1, needs: ['a'] },
      c: { tool: 'find' },
      d: { tool: 'find', needs: ['c'] },
      e: { value: '${{ steps.d.output }}' },
      f: { tool: 'find', needs: ['c'] },
    })
    w.start({ yes: false })
    w.override('d', 'given before its time', { reason: 'known' })
    w.skip('f', { reason: 'not wanted' })
    w.nowMs += 10
    w.done('c')
    return w
  },
  agent: () => {
    const search = {
      name: 'search',
      description: 'searches',
      input: { type: 'object' },
      tool: 'http',
      with: { url: 'https://x/?q=${{ args.q }}' },
      gate: true,
    }
    const w = make({ work: { agent: { model: MODEL, prompt: 'do ${{ input }}', tools: ['find', 'mail', search] } } })
    w.start('it')
    w.done('work/turn-1/llm', calls(['find', { q: 1 }], ['find', { q: 2 }], ['fly']))
    w.nowMs += 5
    w.done('work/turn-1/tool-1', 'two')
    w.fails('work/turn-1/tool-0', PERMANENT)
    w.nowMs += 5
    w.done('work/turn-2/llm', calls(['mail'], ['search', { q: 'x' }]))
    w.fails('work/turn-2/tool-0', AMBIGUOUS)
    w.fail('work/turn-2/tool-0', { reason: 'was not sent' })
    w.approve('work/turn-2/tool-1', { approved: false, reason: 'no' })
    w.nowMs += 5
    w.done('work/turn-3/llm', says('done what could be done'))
    return w
  },
  each: () => {
    const w = make({
      all: {
        tool: 'find',
        with: { n: '${{ item }}' },
        each: { in: [1, 2, 3], concurrency: 2 },
        retry: { attempts: 1 },
      },
      some: { tool: 'find', each: { in: ['x', 'y'], join: 'settled' }, retry: { attempts: 1 } },
      none: { tool: 'find', each: { in: [] } },
      left: { tool: 'find', each: { in: [1, 2] }, retry: { attempts: 1 } },
    })
    w.start()
    w.fails('all[0]')
    w.nowMs += 3
    w.done('all[1]', 2)
    w.done('all[2]', 3)
    w.override('all[0]', 'one')
    w.done('some[1]', 'Y')
    w.fails('some[0]', PERMANENT)
    w.fails('left[0]')
    w.skip('left', { reason: 'enough' })
    return w
  },
  people: () => {
    const w = make({
      ok: { approval: { show: '${{ input }}', assignee: 'editors', expires: '1h' } },
      late: { approval: { expires: '1m', on_expiry: 'approve' } },
      pay: { tool: 'mail', with: { amount: 5 }, gate: true },
      no: { tool: 'mail', gate: true, on_failure: 'continue' },
    })
    w.start('draft')
    w.approve('pay', { edits: { amount: 4 }, reason: 'less' })
    w.nowMs += 9
    w.done('pay', 'paid')
    w.approve('no', { approved: false })
    w.wake({}, 61_000)
    w.approve('ok', { edits: { text: 'better' } })
    return w
  },
  failures: () => {
    const w = make({
      a: { llm: { model: MODEL, prompt: 'p' }, retry: { attempts: 2 } },
      b: { tool: 'put', with: { x: 1 }, retry: { attempts: 1 } },
      c: { tool: 'mail' },
      d: { tool: 'find' },
    })
    w.start()
    w.fails('a')
    w.wake({}, 4_000)
    w.fails('a')
    w.retry('a', { edit: { prompt: 'q' }, reason: 'said better' })
    w.nowMs += 100
    w.done('a', 'text')
    w.fails('b', PERMANENT)
    w.retry('b', { edit: { with: { x: 2 } } })
    w.fails('b')
    w.skip('b')
    w.loses('c', { begun: true })
    w.nowMs += 10
    w.done('c', 'sent after all')
    w.loses('d')
    w.loses('d')
    w.loses('d')
    w.override('d', 'by hand')
    return w
  },
  deliveries: () => {
    const w = make({ a: { llm: { model: MODEL, prompt: 'p' } }, b: { tool: 'find' }, c: { wait: '1h' } })
    w.start()
    w.loses('a')
    w.nowMs += 20
    w.done('a', 'second')
    w.nowMs += 20
    w.done('a', 'first', { delivery: 1 })
    w.releases('b', 2_000)
    w.wake({}, 3_000)
    w.wake({ b: { jobMissing: true } }, 20_000)
    w.done('b')
    w.wake({}, 3_700_000)
    return w
  },
  timers: () => {
    const w = make({
      nap: { wait: '10m' },
      until: { wait: { until: '${{ input }}' } },
      go: { signal: { name: 'go', timeout: '5m' } },
      gone: { signal: { name: 'gone', timeout: '1m' }, on_failure: 'continue' },
      slow: { signal: 'never', deadline: '2m' },
    })
    w.start('1970-01-01T00:00:30Z')
    w.signal('other', { kept: true })
    w.wake({}, 30_000)
    w.wake({}, 61_000)
    w.signal('go', 1)
    w.wake({}, 121_000)
    w.wake({}, 601_000)
    w.skip('slow')
    return w
  },
  paused: () => {
    const w = make({ a: { tool: 'find', retry: { attempts: 1 } }, b: { tool: 'find' }, c: { value: 1, needs: ['b'] } })
    w.start()
    w.run('pause', 'lunch')
    w.fails('a')
    w.done('b')
    w.nowMs += 1_000
    w.run('resume', 'back')
    w.run('pause')
    return w
  },
  failed: () => {
    const w = make({
      a: { tool: 'find', retry: { attempts: 1 } },
      b: { approval: {} },
      c: { agent: { model: MODEL, prompt: 'p' } },
    })
    w.start()
    w.fails('a')
    w.fail('a', { reason: 'no use' })
    return w
  },
  cancelled: () => {
    const w = make({
      a: { llm: { model: MODEL, prompt: 'p' } },
      b: { tool: 'find', each: { in: [1, 2] } },
      c: { approval: {} },
      d: { wait: '1h' },
    })
    w.start()
    w.run('cancel', 'enough')
    w.nowMs += 50
    w.done('a', 'late')
    return w
  },
  held: () => {
    const w = new World(workflow({ a: { agent: { model: MODEL, prompt: 'p', tools: ['find'] } } }))
    w.start()
    w.tools.set('find', moduleTool('find', 'read'))
    w.wake()
    w.done('a/turn-1/llm', says('hello'))
    return w
  },
  blobs: () => {
    const w = make(
      { a: { tool: 'find', with: { x: '${{ input }}' } }, b: { value: '${{ steps.a.output }}' } },
      {},
      { inlineChars: 40 },
    )
    w.start('x'.repeat(100))
    w.done('a', 'y'.repeat(200))
    return w
  },
  nested: () => {
    const w = make({
      outer: {
        each: { in: ['a', 'b'], as: 'letter', join: 'settled' },
        repeat: { max: 2, until: '${{ output.found == "b1" }}' },
        steps: {
          found: { tool: 'find', with: { letter: '${{ letter }}' }, on_failure: 'fail' },
          kept: { value: '${{ steps.found.output }}' },
        },
      },
      first: { needs: ['outer'], each: { in: [1, 2], join: 'any' }, tool: 'find' },
      none: { if: false, value: 1 },
      either: { needs_any: ['first', 'none'], value: '${{ steps.first.output.index }}' },
      put: { needs: ['either'], tool: 'put', on_failure: { use: 'nothing' } },
    })
    w.start()
    w.done('outer[0]/iter-1/found', 'a1')
    w.fails('outer[0]/iter-2/found', PERMANENT)
    w.done('outer[1]/iter-1/found', 'b1')
    w.done('first[1]')
    w.fails('put', PERMANENT)
    return w
  },
  saga: () => {
    const undo = { tool: 'put', with: { id: '${{ output }}' } }
    const w = make(
      {
        book: { tool: 'put', compensate: undo },
        rooms: { each: { in: [1, 2] }, tool: 'put', needs: ['book'], compensate: undo },
        child: { run: { workflow: 'other', input: 1 }, needs: ['rooms'] },
      },
      { deadline: '1d' },
    )
    w.start()
    w.done('book', 'B')
    w.done('rooms[0]', 'R0')
    w.done('rooms[1]', 'R1')
    w.child('child', { status: 'cancelled', by: 'ann' })
    w.fail('child', { reason: 'no use' })
    w.done('rooms[1]/compensate-1')
    w.fails('rooms[0]/compensate-1', PERMANENT)
    w.skip('rooms[0]/compensate-1', { reason: 'done by hand' })
    w.done('book/compensate-1')
    return w
  },
  places: () => {
    const w = make(
      { a: { tool: 'find', concurrency: { key: 'k', limit: 1 }, cache: { ttl: '1h' } } },
      { concurrency: { key: 'runs', limit: 1 } },
    )
    let isFree = false
    w.answer = (ask) => {
      if (ask.kind === 'cache') return { kind: 'cache', found: null }
      return isFree
        ? { kind: 'limit', granted: true }
        : { kind: 'limit', granted: false, why: 'full', againInMs: 1_000 }
    }
    w.start(null, { parent: { run: 'p1', path: 'sub', depth: 1, detached: false } })
    isFree = true
    w.answer = (ask) => {
      if (ask.kind === 'cache') return { kind: 'cache', found: null }
      const isGranted = (ask.kind === 'limit' && ask.path === '') || isFree
      return isGranted
        ? { kind: 'limit', granted: true }
        : { kind: 'limit', granted: false, why: 'full', againInMs: 1_000 }
    }
    isFree = false
    w.free('')
    isFree = true
    w.free('a')
    w.done('a')
    return w
  },
  fallbacks: () => {
    const w = make(
      {
        a: {
          llm: { model: MODEL, prompt: 'p', fallback: ['anthropic/claude-opus-5-5'] },
          confidence: { min: 0.5, from: '${{ output }}' },
          fallback: { tool: 'find', with: { why: '${{ error.code }}' } },
        },
        b: { llm: { model: MODEL, prompt: 'p' }, confidence: { min: 0.5, from: '${{ output }}' } },
        c: { steps: { d: { tool: 'find' }, e: { tool: 'put', needs: ['d'] } }, fallback: { value: 0 } },
      },
      { budget: { usd: 1, per_day: { tokens: 1_000 } } },
    )
    w.answer = () => ({
      kind: 'budget',
      granted: false,
      over: { scope: 'run', unit: 'usd', cap: 1, spent: 1, reserved: 0, needed: 1 },
      pending: false,
    })
    w.start()
    w.answer = () => ({ kind: 'budget', granted: true })
    w.raise({ usd: 2 })
    w.fails('a', PERMANENT)
    w.nowMs += 9
    w.done('a', 0.1)
    w.fails('c/d', PERMANENT)
    w.done('b', 0.2)
    w.retry('b')
    w.done('b', 0.9)
    w.fails('a/fallback-1')
    w.nowMs += 90_000
    w.wake({})
    w.done('a/fallback-1')
    return w
  },
  'agent-budget': () => {
    const agent = { model: MODEL, prompt: 'p', tools: ['find'], budget: { tokens: 600 } }
    const w = make({ a: { agent } })
    const over = { scope: 'agent', unit: 'tokens', cap: 600, spent: 0, reserved: 0, needed: 900 } as const
    w.answer = () => ({ kind: 'budget', granted: false, over, pending: false })
    w.start()
    w.answer = () => ({ kind: 'budget', granted: true })
    w.raise({ tokens: 9_000 }, 'a')
    w.done('a/turn-1/llm', says('done'))
    return w
  },
  callback: () => {
    const w = make({
      told: {
        tool: 'callback',
        with: { url: 'https://x.example', body: { n: '${{ input }}' } },
        timeout: '10m',
        compensate: { tool: 'callback' },
      },
      handed: { tool: 'callback', needs: ['told'], effect: 'once', timeout: '10m' },
      last: { tool: 'callback', needs: ['handed'], on_failure: 'fail' },
    })
    w.start(7)
    w.nowMs += 20
    w.done('told')
    w.nowMs += 300_000
    w.callback('told', { status: 'alive' })
    w.callback('told', { status: 'failed', code: 'tool_failed', message: 'out of paper' })
    w.nowMs += 90_000
    w.wake()
    w.callback('told', { status: 'completed', output: { value: 'printed' } })
    w.wake({}, w.nowMs + 600_000)
    w.callback('handed', { status: 'completed', output: { value: 'after all' } })
    w.callback('last', { status: 'failed', code: 'bad_request', message: 'no such form', details: { form: 9 } })
    w.callback('told/compensate-1', { status: 'completed', output: { value: null } })
    return w
  },
  happened: () => {
    const compensate = { tool: 'put', with: { id: '${{ output }}' } }
    const w = make({
      a: { tool: 'mail', each: { in: [1, 2], join: 'any' }, compensate },
      b: { tool: 'find', needs: ['a'], on_failure: 'fail' },
    })
    w.start()
    w.done('a[0]', 'won')
    w.done('a[1]', 'late')
    w.fails('b', PERMANENT)
    w.done('a[1]/compensate-1')
    return w
  },
  code: () => {
    const played = begin()
    give(played, (told) => ({ asked: told === 0 ? [value('a', 1), wait('w')] : [], state: WAITING }), true)
    const again = reload(played, 'journal')
    give(again, () => ({ asked: [value('a', 1), wait('w'), value('late', 3)], state: WAITING }), false)
    give(again, () => ({ asked: [], state: { status: 'returned', output: 'done' } }), false)
    return again
  },
  cached: () => {
    const w = make({ a: { tool: 'find', cache: { ttl: '1h' } } })
    w.answer = () => ({ kind: 'cache', found: { value: 'from before' } })
    w.start()
    return w
  },
}

const folder = fileURLToPath(new URL('../golden/', import.meta.url))
const release = process.env.STEPFLEET_GOLDEN

describe('golden stories', () => {
  for (const [name, story] of Object.entries(stories)) {
    it(`${name} is a lawful history`, () => {
      const world = story()
      expect(checkLaws(world.events, world.plan)).toEqual([])
      if (release === undefined) return
      const state = createState('default', 'r1')
      for (const event of world.events) fold(state, event)
      const lines = world.events.map((event) => JSON.stringify(event))
      writeFileSync(`${folder}${release}-${name}.jsonl`, `${lines.join('\n')}\n`)
      writeFileSync(`${folder}${release}-${name}.snapshot.jsonl`, `${toSnapshot(state)}\n`)
    })
  }
})
