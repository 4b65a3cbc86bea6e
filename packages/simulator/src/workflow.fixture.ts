// workflow: definitions for tests, as users write them.
import type { Definition } from '@stepfleet/contracts'

export const MODEL = 'anthropic/claude-haiku-5-5'

/** A definition of these steps; what is not shaped like one is for `simulate` to find. */
export const workflow = (steps: Definition['steps'], more: Partial<Definition> = {}): Definition => ({
  name: 'scenario',
  ...more,
  steps,
})
