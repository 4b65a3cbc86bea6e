// noop: does nothing and says so. What a step costs without any work in it.
import { defineTool } from 'stepfleet'

export const noop = defineTool({
  name: 'noop',
  description: 'Does nothing.',
  input: { type: 'object' },
  effect: 'read',
  run: () => ({ ok: true }),
})
