// For the tests of providers: a request that says little.
import type { ModelRequest } from './provider.ts'

export const LOOKUP = {
  name: 'lookup',
  description: 'Looks up',
  input: { properties: { q: { type: 'string' } }, required: ['q'] },
}

export const requestOf = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'some-model',
  system: null,
  messages: [{ role: 'user', text: 'tea' }],
  tools: [],
  toolChoice: 'auto',
  format: null,
  settings: {},
  effectKey: 'default/r1/ask',
  taskId: 'default~r1.ask.1.1',
  ...more,
})

/** A conversation with a turn of two tools that another provider answered. */
export const FOREIGN: ModelRequest['messages'] = [
  { role: 'user', text: 'Go' },
  {
    role: 'answer',
    content: [{ kind: 'of another provider' }],
    text: 'Wait.',
    toolUses: [
      { id: 'a', name: 'lookup', input: { q: 'rain' } },
      { id: 'b', name: 'lookup', input: { q: 'sun' } },
    ],
  },
  {
    role: 'results',
    results: [
      { id: 'a', isError: false, content: 'wet' },
      { id: 'b', isError: true, content: 'timeout: slow' },
    ],
  },
]
