// Virtual time: what is due first happens first, and things of the same time in the order they were asked for.
import { expect, test } from 'vitest'
import { VirtualTime } from './virtual-time.ts'

test('things happen in order of time, then of asking, also those asked for on the way', async () => {
  const time = new VirtualTime(100)
  const seen: [number, number][] = []
  const due: number[] = []
  for (let index = 0; index < 500; index += 1) {
    const atMs = 100 + ((index * 7_919) % 101)
    due.push(atMs)
    time.at(atMs, () => {
      seen.push([time.nowMs, index])
      if (index < 3) time.at(time.nowMs - 50, () => void seen.push([time.nowMs, 1_000 + index]))
    })
  }
  while (await time.next());
  expect(seen).toHaveLength(503)
  const sorted = [...seen].sort(([a, i], [b, j]) => a - b || i - j)
  expect(seen).toEqual(sorted)
  expect(seen.filter(([, index]) => index < 500).every(([atMs, index]) => due[index] === atMs)).toBe(true)
})
