// Virtual time: what will happen, in order of time; things of the same time in the order they were asked for.

interface Entry {
  atMs: number
  order: number
  /** What it gives is of no account, but awaited. */
  act: () => unknown
}

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

export class VirtualTime {
  nowMs: number
  /** A binary heap: the parts of `i` are at `2i + 1` and `2i + 2`, and never before it. */
  readonly #heap: Entry[] = []
  #order = 0

  constructor(startAtMs: number) {
    this.nowMs = startAtMs
  }

  /** Something happens at a time, now if that has passed. */
  at(atMs: number, act: Entry['act']): void {
    this.#order += 1
    const heap = this.#heap
    const entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order, act }
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above]
      if (!parent || !isBefore(entry, parent)) break
      heap[index] = parent
      index = above
    }
    heap[index] = entry
  }

  /** Lets the next thing happen; false: there is none. */
  async next(): Promise<boolean> {
    const entry = this.#take()
    if (!entry) return false
    this.nowMs = entry.atMs
    await entry.act()
    return true
  }

  #take(): Entry | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!last || heap.length === 0) return first
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const useRight = left !== undefined && right !== undefined && isBefore(right, left)
      const smaller = useRight ? right : left
      if (!smaller || !isBefore(smaller, last)) break
      heap[index] = smaller
      index = 2 * index + (useRight ? 2 : 1)
    }
    heap[index] = last
    return first
  }
}
