// Scenarios: what a step asks of the fleet before it begins: places under limits, cached outputs.
import { describe, expect, it } from 'vitest'
import type { Ask } from '../turn.ts'
import { moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const make = (steps: Parameters<typeof workflow>[0], more = {}) => new World(workflow(steps, more), TOOLS)

const full = (w: World, isFull: () => boolean): Ask[] => {
  const asked: Ask[] = []
  w.answer = (ask) => {
    asked.push(ask)
    if (ask.kind === 'cache') return { kind: 'cache', found: null }
    return isFull()
      ? { kind: 'limit', granted: false, why: 'no place free', againInMs: 5_000 }
      : { kind: 'limit', granted: true }
  }
  return asked
}

describe('concurrency', () => {
  const limited = () => make({ s: { tool: 'find', concurrency: { key: 'k-${{ input }}', limit: 2 } } })

  it('holds a step until a place is free, and gives it back at the end', () => {
    const w = limited()
    let isFull = true
    const asked = full(w, () => isFull)
    expect(w.start('x')).toEqual(['run.started', 'step.held s'])
    expect([w.state.status, w.step('s').heldWhy]).toEqual(['waiting', 'no place free'])
    // asked again, and still full: no new fact
    expect(w.wake()).toEqual([])
    isFull = false
    expect(w.wake()).toEqual(['step.dispatched s 1.1'])
    w.done('s')
    expect(asked).toEqual(Array(3).fill({ kind: 'limit', key: 'k-x', limit: 2, perMs: null, path: 's' }))
    expect(w.others).toEqual([{ kind: 'release', key: 'k-x', path: 's' }])
  })

  it('lets in who is called before its time', () => {
    const w = limited()
    let isFull = true
    full(w, () => isFull)
    w.start('x')
    isFull = false
    expect(w.free('s')).toEqual(['step.dispatched s 1.1'])
  })

  it('gives back when the step waits for a person, or is cancelled', () => {
    const w = limited()
    w.start('x')
    w.fails('s', PERMANENT)
    expect(w.others).toHaveLength(1)
    w.retry('s')
    w.cancel()
    expect(w.others).toEqual(Array(2).fill({ kind: 'release', key: 'k-x', path: 's' }))
  })

  it('is taken by each item', () => {
    const w = make({ s: { each: { in: ['a', 'b'] }, tool: 'find', concurrency: { key: '${{ item }}', limit: 1 } } })
    const asked = full(w, () => false)
    w.start()
    w.done('s[0]')
    expect(asked.map((ask) => (ask.kind === 'budget' ? ask.holder : ask.key))).toEqual(['a', 'b'])
    expect(w.others).toEqual([{ kind: 'release', key: 'a', path: 's[0]' }])
  })

  it('of a rate is left too: who waits no more is not waited for', () => {
    const w = make({ s: { tool: 'find', rate: { key: 'r', limit: 2, per: '1m' } } })
    const asked = full(w, () => false)
    w.start()
    w.done('s')
    expect(asked).toMatchObject([{ perMs: 60_000 }])
    expect(w.others).toEqual([{ kind: 'release', key: 'r', path: 's' }])
  })

  it('of runs holds the whole run', () => {
    const w = make({ s: { tool: 'find' } }, { concurrency: { key: 'all', limit: 1 } })
    let isFull = true
    full(w, () => isFull)
    expect(w.start()).toEqual(['run.started', 'run.held'])
    expect([w.state.status, w.state.heldWhy]).toEqual(['waiting', 'no place free'])
    w.reload()
    expect(w.wake()).toEqual([])
    isFull = false
    expect(w.free('')).toEqual(['step.dispatched s 1.1'])
    w.done('s')
    expect(w.others).toEqual([{ kind: 'release', key: 'all', path: '' }])
  })
})

describe('cache', () => {
  const cached = () => make({ s: { tool: 'find', with: { q: '${{ input }}' }, cache: { ttl: '1h' } } })

  it('stores what was made, under what the step was given', () => {
    const one = cached()
    one.start('x')
    one.done('s', 'found')
    const [stored] = one.others
    expect(stored).toMatchObject({ kind: 'cache', ttlMs: 3_600_000, output: { value: 'found' } })
    const two = cached()
    const asked: Ask[] = []
    two.answer = (ask) => {
      asked.push(ask)
      return { kind: 'cache', found: { value: 'from before' } }
    }
    expect(two.start('x')).toEqual(['run.started', 'step.completed s', 'run.completed'])
    expect(asked).toMatchObject([{ key: stored?.kind === 'cache' ? stored.key : '' }])
    // what was taken from the cache is not stored again
    expect([two.output('s'), two.others]).toEqual(['from before', []])
  })
  it('has another place for each confidence: what was sure enough once may not be now', () => {
    const keyFor = (min: number | null): string => {
      const from = '${{ output.sure }}'
      const w = make({
        s: { tool: 'find', cache: { ttl: '1h' }, ...(min === null ? {} : { confidence: { min, from } }) },
      })
      const keys: string[] = []
      w.answer = (ask) => {
        if (ask.kind === 'cache') keys.push(ask.key)
        return { kind: 'cache', found: null }
      }
      w.start()
      w.done('s', { sure: 1 })
      const stored = w.others.flatMap((one) => (one.kind === 'cache' ? [one.key] : []))
      expect(stored).toEqual(keys)
      return keys[0] ?? ''
    }
    expect(keyFor(0.5)).toBe(keyFor(0.5))
    expect(new Set([keyFor(null), keyFor(0.5), keyFor(0.7)]).size).toBe(3)
  })
})
