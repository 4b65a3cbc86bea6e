// Golden journals: histories that a release wrote. Every later release folds them to the same state, so what is in
// Redis when a fleet is upgraded is read as it was meant. A journal is never written anew; a new release adds its own.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { actorSchema, EVENT_VERSION, type Event, eventBodySchema, eventSchema } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { checkLaws } from './laws.ts'
import { fold } from './state/fold.ts'
import { fromSnapshot, SNAPSHOT_VERSION, toSnapshot } from './state/snapshot.ts'
import { createState } from './state/state.ts'

const folder = fileURLToPath(new URL('../golden/', import.meta.url))
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.jsonl') && !file.endsWith('.snapshot.jsonl'))
  .map((file) => file.slice(0, -'.jsonl'.length))

const linesOf = (name: string): string[] => readFileSync(`${folder}${name}.jsonl`, 'utf8').trimEnd().split('\n')
const eventsOf = (name: string): Event[] => linesOf(name).map((line) => eventSchema.parse(JSON.parse(line)))

const foldOf = (events: readonly Event[]) => {
  const state = createState('default', 'r1')
  for (const event of events) fold(state, event)
  return state
}

describe('golden journals', () => {
  it('are there for every type of event', () => {
    const written = names.flatMap((name) => eventsOf(name).map((event) => event.type))
    const known = eventBodySchema.options.map((option) => option.shape.type.value)
    expect([...new Set(written)].sort()).toEqual([...known].sort())
  })

  it.each(names)('%s has no field that the contracts do not know', (name) => {
    for (const line of linesOf(name)) {
      const { seq, atMs, v, actor, command, ...body } = JSON.parse(line)
      expect(actorSchema.parse(actor)).toEqual(actor)
      expect([Number.isInteger(seq), Number.isInteger(atMs), typeof command]).toEqual([true, true, 'string'])
      // an older version is upcast by the store; what it becomes is folded there
      expect(v).toBeLessThanOrEqual(EVENT_VERSION)
      expect(eventBodySchema.parse(body)).toEqual(body)
    }
  })

  it.each(names)('%s breaks no law', (name) => {
    expect(checkLaws(eventsOf(name))).toEqual([])
  })

  it.each(names)('%s folds to the state it stood for', (name) => {
    const text = readFileSync(`${folder}${name}.snapshot.jsonl`, 'utf8').trimEnd()
    const { snapshot, steps, ...run } = JSON.parse(text)
    const state = foldOf(eventsOf(name))
    // the shape of a snapshot may change with the release; what it says of the run may not
    expect({ ...state, signals: [...state.signals], asked: [...state.asked] }).toMatchObject(run)
    expect([...state.steps.keys()]).toEqual(steps.map(({ path }: { path: string }) => path))
    for (const { path, each, turns, ...step } of steps) expect(state.steps.get(path), path).toMatchObject(step)
    if (snapshot === SNAPSHOT_VERSION) expect(toSnapshot(state)).toBe(text)
  })

  it.each(names)('%s folds on from a snapshot taken at any event', (name) => {
    const events = eventsOf(name)
    const whole = toSnapshot(foldOf(events))
    for (let at = 1; at < events.length; at += 1) {
      const state = fromSnapshot(toSnapshot(foldOf(events.slice(0, at))))
      if (!state) throw new Error('the snapshot was not read')
      for (const event of events.slice(at)) fold(state, event)
      expect(toSnapshot(state), `from ${at}`).toBe(whole)
    }
  })
})
