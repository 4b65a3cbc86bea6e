// A copy of the built tree with parts changed: how a guard is taken out for a control, without touching the tree itself.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './fleet.ts'

/** `find` must stand in the file exactly once. */
export interface Patch {
  /** From the root, in `dist`. */
  file: string
  find: string
  replace: string
}

interface Workspace {
  /** `packages/runtime` */
  folder: string
  /** `@stepfleet/runtime` */
  name: string
}

const workspaces = (): Workspace[] =>
  ['packages', 'services'].flatMap((group) =>
    readdirSync(join(REPOSITORY, group))
      .map((name) => join(group, name))
      .filter((folder) => existsSync(join(REPOSITORY, folder, 'dist')))
      .map((folder) => {
        const manifest = JSON.parse(readFileSync(join(REPOSITORY, folder, 'package.json'), 'utf8')) as { name: string }
        return { folder, name: manifest.name }
      }),
  )

/** Everything installed is linked, but for our own packages: those are the copies. */
const linkModules = (target: string, own: readonly Workspace[]): void => {
  const modules = join(target, 'node_modules')
  const names = new Set(own.map(({ name }) => name))
  mkdirSync(join(modules, '@stepfleet'), { recursive: true })
  for (const entry of readdirSync(join(REPOSITORY, 'node_modules'))) {
    if (entry === '@stepfleet' || names.has(entry)) continue
    symlinkSync(join(REPOSITORY, 'node_modules', entry), join(modules, entry))
  }
  for (const { name, folder } of own) symlinkSync(join(target, folder), join(modules, name))
}

/** Throws when a patch no longer fits: then the control must be written anew, or it would prove nothing. */
const apply = (target: string, { file, find, replace }: Patch): void => {
  const path = join(target, file)
  const text = readFileSync(path, 'utf8')
  const count = text.split(find).length - 1
  if (count !== 1) throw new Error(`${file}: the text to be replaced is there ${count} times, not once:\n${find}`)
  writeFileSync(
    path,
    text.replace(find, () => replace),
  )
}

/** Copies what is built into `target` and applies the patches to the copy. */
export const copyTree = (target: string, patches: readonly Patch[]): string => {
  const own = workspaces()
  for (const { folder } of own) {
    mkdirSync(join(target, folder), { recursive: true })
    for (const part of ['dist', 'package.json', 'bin']) {
      const from = join(REPOSITORY, folder, part)
      if (existsSync(from)) cpSync(from, join(target, folder, part), { recursive: true })
    }
  }
  cpSync(join(REPOSITORY, 'package.json'), join(target, 'package.json'))
  linkModules(target, own)
  for (const patch of patches) apply(target, patch)
  return target
}
