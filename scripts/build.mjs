// `npm run build`: compiles every workspace and copies the Lua scripts beside the compiled files.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, run } from './steps.mjs'

/** @param {string} dir @returns {string[]} */
const luaFiles = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return luaFiles(path)
    return entry.name.endsWith('.lua') ? [path] : []
  })

const workspaces = () =>
  ['packages', 'services'].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => join(root, group, name))
      .filter((dir) => existsSync(join(dir, 'src'))),
  )

/** The compiler does not carry `.lua` files over; an unchanged one is left alone. */
const copyLua = () => {
  for (const dir of workspaces()) {
    const source = join(dir, 'src')
    for (const file of luaFiles(source)) {
      const target = join(dir, 'dist', relative(source, file))
      if (existsSync(target) && readFileSync(target).equals(readFileSync(file))) continue
      mkdirSync(dirname(target), { recursive: true })
      cpSync(file, target)
    }
  }
}

/** Without its output the compiler would still believe what it noted about it, and write nothing. */
const forgetMissingOutputs = () => {
  for (const dir of workspaces())
    if (!existsSync(join(dir, 'dist'))) rmSync(join(dir, 'tsconfig.tsbuildinfo'), { force: true })
}

/** Answers the exit code of the compiler. */
export const build = async () => {
  forgetMissingOutputs()
  const code = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'])
  if (code === 0) copyLua()
  return code
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await build()
