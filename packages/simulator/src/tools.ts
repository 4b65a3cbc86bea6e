// Tools: the manifests that the workers of a simulation publish, and those that nobody gave.
import { BUILT_IN_TOOLS, type ToolManifest } from '@stepfleet/contracts'
import type { Plan, StepPlan } from '@stepfleet/engine'
import { toolsNamed } from './targets.ts'

/** A tool that nobody said anything of: tried again like most, and no reason to wait for a worker. */
const unknownTool = (name: string): ToolManifest => ({
  spec: { name, description: 'a tool without a manifest', input: { type: 'object' } },
  effect: 'idempotent',
  secrets: [],
})

/** Names that only an agent's model knows. */
const inlineTools = ({ body }: StepPlan): string[] =>
  body.kind === 'agent' ? body.tools.flatMap(({ name, declared }) => (declared ? [name] : [])) : []

export class Tools {
  /** By name: those that were given, and those that workflows name besides. Grows while code asks for steps. */
  readonly manifests: Map<string, ToolManifest>
  /** `tool:<name>` of those that nobody gave. */
  readonly assumed: string[] = []

  constructor(given: readonly ToolManifest[]) {
    this.manifests = new Map(given.map((tool) => [tool.spec.name, tool] as const))
  }

  /** Takes in what these plans name. */
  learn(plans: readonly Plan[]): void {
    const inline = new Set(plans.flatMap((plan) => [...plan.steps.values()].flatMap(inlineTools)))
    for (const name of toolsNamed(plans)) {
      if (BUILT_IN_TOOLS.has(name) || this.manifests.has(name) || inline.has(name)) continue
      this.manifests.set(name, unknownTool(name))
      this.assumed.push(`tool:${name}`)
    }
  }
}
