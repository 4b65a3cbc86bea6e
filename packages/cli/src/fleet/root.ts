// Where the repository lies: `dev` starts the services out of it.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const isRoot = (dir: string): boolean => {
  const file = join(dir, 'package.json')
  if (!existsSync(file)) return false
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { name?: string }
  return manifest.name === 'stepfleet-workspace'
}

/** Throws when this copy of the command does not lie in a repository. */
export const repositoryRoot = (): string => {
  for (let dir = dirname(fileURLToPath(import.meta.url)); dir !== dirname(dir); dir = dirname(dir))
    if (isRoot(dir)) return dir
  throw new Error('`stepfleet dev` starts the services of a Stepfleet repository, and this copy lies in none')
}
