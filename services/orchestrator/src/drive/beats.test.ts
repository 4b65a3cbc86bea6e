// When a process counts as dead: only after one whole lease of reads that were answered in time.
import { describe, expect, it } from 'vitest'
import { BeatWatch, LEASE_MS } from './beats.ts'

/** A watch over a clock and beats that the test sets. */
const createScene = () => {
  const scene = {
    nowMs: 0,
    beats: { w_1: '1' } as Record<string, string>,
    readMs: 1,
    away: false,
    clients: 'id=1 name=orchestrator\nid=2 name=stepfleet-beat-w_1\n',
  }
  const redis = {
    hgetall: async () => {
      scene.nowMs += scene.readMs
      if (scene.away) throw new Error('away')
      return scene.beats
    },
  }
  // a stand-in for the one command it uses
  const watch = new BeatWatch(
    redis as never,
    async () => scene.clients,
    () => scene.nowMs,
  )
  const pass = async (ms: number): Promise<string[]> => {
    let dead: string[] = []
    for (let left = ms; left > 0; left -= 100) {
      scene.nowMs += 100
      dead = await watch.read()
    }
    return dead
  }
  return { scene, watch, pass }
}

describe('beats', () => {
  it('a counter that stands for a lease is death', async () => {
    const { watch, pass } = createScene()
    await watch.read()
    expect(await pass(LEASE_MS - 200)).toEqual([])
    expect(await pass(400)).toEqual(['w_1'])
    expect(watch.isAlive('w_1')).toBe(false)
  })

  it('a counter that moves is life', async () => {
    const { scene, watch, pass } = createScene()
    await watch.read()
    for (let beat = 2; beat < 10; beat += 1) {
      scene.beats = { w_1: String(beat) }
      expect(await pass(500)).toEqual([])
    }
  })

  it('a slow read starts the leases anew', async () => {
    const { scene, watch, pass } = createScene()
    await watch.read()
    await pass(800)
    scene.readMs = 2_000
    expect(await watch.read()).toEqual([])
    scene.readMs = 1
    expect(await pass(800)).toEqual([])
    expect(await pass(400)).toEqual(['w_1'])
  })

  it('an error starts the leases anew', async () => {
    const { scene, watch, pass } = createScene()
    await watch.read()
    await pass(800)
    scene.away = true
    expect(await pass(3_000)).toEqual([])
    scene.away = false
    expect(await pass(800)).toEqual([])
  })

  it('time in which nobody looked is nobody’s death', async () => {
    const { scene, watch } = createScene()
    await watch.read()
    scene.nowMs += 60_000
    expect(await watch.read()).toEqual([])
  })

  it('who comes back is alive', async () => {
    const { scene, watch, pass } = createScene()
    await watch.read()
    expect(await pass(1_300)).toEqual(['w_1'])
    scene.beats = { w_1: '2' }
    expect(await pass(100)).toEqual([])
    expect(watch.isAlive('w_1')).toBe(true)
  })
})

describe('a worker whose connections are gone', () => {
  const beating = async (scene: ReturnType<typeof createScene>['scene'], pass: (ms: number) => Promise<string[]>) => {
    for (const beat of ['2', '3']) {
      scene.beats = { w_1: beat }
      await pass(100)
    }
  }

  it('is dead after two missed beats and two looks', async () => {
    const { scene, watch, pass } = createScene()
    await beating(scene, pass)
    scene.clients = 'id=1 name=orchestrator\n'
    expect(await pass(400)).toEqual([])
    expect(await pass(200)).toEqual(['w_1'])
    expect(watch.isAlive('w_1')).toBe(false)
    expect(watch.causeOf('w_1')).toBe('connection')
    scene.beats = { w_1: '9' }
    expect(await pass(100)).toEqual([])
    expect(watch.isAlive('w_1')).toBe(true)
  })

  it('is not dead when one of them is back', async () => {
    const { scene, pass } = createScene()
    await beating(scene, pass)
    scene.clients = 'id=1 name=orchestrator\n'
    await pass(400)
    scene.clients = 'id=1 name=orchestrator\nid=3 name=stepfleet-w_1\n'
    expect(await pass(300)).toEqual([])
  })

  it.each([
    ['names are not kept', 'id=1 name=\n'],
    ['connections cannot be listed', ''],
  ])('is dead after a whole lease where %s', async (_, clients) => {
    const { scene, watch, pass } = createScene()
    await beating(scene, pass)
    scene.clients = clients
    expect(await pass(LEASE_MS - 100)).toEqual([])
    expect(await pass(300)).toEqual(['w_1'])
    expect(watch.causeOf('w_1')).toBe('lease')
  })

  it('has a whole lease after an outage, in which nobody was connected', async () => {
    const { scene, pass } = createScene()
    await beating(scene, pass)
    scene.clients = 'id=1 name=orchestrator\n'
    scene.away = true
    // its last beat before the outage is read after it
    scene.beats = { w_1: '4' }
    await pass(500)
    scene.away = false
    expect(await pass(800)).toEqual([])
    scene.beats = { w_1: '5' }
    expect(await pass(100)).toEqual([])
  })
})
