// The memory store keeps every law of the store.
import { storeConformance } from './conformance.ts'
import { createMemoryStore } from './memory-store.ts'

storeConformance('memory store', async () => {
  let nowMs = 1_800_000_000_000
  const store = createMemoryStore({ nowMs: () => nowMs })
  return {
    store,
    claims: store.claims,
    until: async (check) => {
      for (let i = 0; i < 1_000; i += 1) {
        if (await check()) return
        nowMs += 5
      }
      throw new Error('it never came true')
    },
    stop: () => store.close(),
  }
})
