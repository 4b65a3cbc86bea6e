import { expect, it } from 'vitest'
import { llmQueue, queueKind, suspectQueue } from './queues.ts'

it('gives each model a queue of its own, by a name that BullMQ takes', () => {
  const models = ['ollama/qwen3:8b', 'ollama/qwen3_8b', 'ollama/qwen3-8b', 'ollama/qwen3.8b', 'ollama_2/qwen3:8b']
  const names = models.map(llmQueue)
  expect(names[0]).toBe('llm.ollama.qwen3~8b')
  expect(new Set(names).size).toBe(models.length)
  expect(names.filter((name) => name.includes(':'))).toEqual([])
  expect(names.map((name) => queueKind(suspectQueue(name)))).toEqual(models.map(() => 'llm'))
})
