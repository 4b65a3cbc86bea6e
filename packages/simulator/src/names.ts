// Names: by what a mock, a fault or a person may mean a step of a run. A step of a child is named below the step that
// runs it: by its path, `research[1]/draft`, and by ids, `research/draft`.
import { parsePath } from '@stepfleet/engine'

/** What the steps of a run are called by: the path and the id of the step that started it; '' for the first run. */
export interface Prefix {
  path: string
  id: string
}

export const below = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}/${name}`)

/** `polish[3]/iter-2`, `polish[3]`, `polish`: itself, then the item, then the whole step. */
const withLess = (path: string): string[] => {
  const { role, parent } = parsePath(path)
  return (role === 'item' || role === 'iteration') && parent !== null ? [path, ...withLess(parent)] : [path]
}

/** Names of a step, the most exact first. */
export const stepNames = (prefix: Prefix, path: string): string[] => {
  const { node } = parsePath(path)
  const paths = withLess(path)
  return [
    ...new Set([
      ...paths.map((one) => below(prefix.path, one)),
      ...paths.map((one) => below(prefix.id, one)),
      below(prefix.id, node),
    ]),
  ]
}

/** What runs at a path. */
export interface Runner {
  model?: string
  /** What the model called it, and what it is. */
  tools?: readonly string[]
}

/** Names of a task: those of the step or of the agent around it, then its tool or model. */
export const taskNames = (prefix: Prefix, path: string, runner: Runner): string[] => {
  const { role, parent } = parsePath(path)
  const tools = (runner.tools ?? []).map((name) => `tool:${name}`)
  if (role === 'tool') return [below(prefix.path, path), below(prefix.id, path), ...tools]
  const own =
    role === 'turn' && parent !== null
      ? [below(prefix.path, path), ...stepNames(prefix, parent)]
      : stepNames(prefix, path)
  return [...own, ...tools, ...(runner.model === undefined ? [] : [`model:${runner.model}`])]
}
