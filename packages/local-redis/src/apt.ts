// Unpacks Debian's or Ubuntu's Redis into a cache folder: no root, nothing is installed on the system.
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './shell.ts'

const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1']
/** Libraries a Debian system cannot be without; unpacking them beside the system's own could only do harm. */
const ALWAYS_THERE = /^(libc6|libgcc-s1|libstdc\+\+6)$/

export interface Unpacked {
  command: string
  /** Folders for LD_LIBRARY_PATH. */
  libraries: string[]
}

/** Where the parts of an unpacked package tree lie, or null when its server is not there. */
const describe = async (dir: string): Promise<Unpacked | null> => {
  const command = join(dir, 'usr/bin/redis-server')
  if (!existsSync(command)) return null
  const libraries: string[] = []
  for (const base of [join(dir, 'usr/lib'), join(dir, 'lib')]) {
    if (!existsSync(base)) continue
    for (const name of await readdir(base)) if (name.includes('-linux-')) libraries.push(join(base, name))
    libraries.push(base)
  }
  return { command, libraries }
}

/** Lists and caches of our own, so that neither root nor the system's package lists are needed. */
const privateApt = async (dir: string): Promise<string[]> => {
  for (const name of ['state/lists/partial', 'cache/archives/partial'])
    await mkdir(join(dir, name), { recursive: true })
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []
  return [
    ...['-o', `Dir::State=${join(dir, 'state')}`, '-o', `Dir::State::Lists=${join(dir, 'state/lists')}`],
    ...['-o', `Dir::Cache=${join(dir, 'cache')}`, '-o', 'Dir::State::status=/var/lib/dpkg/status'],
    ...['-o', 'Debug::NoLocking=1', '-o', 'Acquire::Languages=none', ...sandbox],
  ]
}

/** Our packages and what they need of libraries: Ubuntu's Redis needs Lua's, Debian 13's needs others again. */
const closure = async (apt: string[]): Promise<string[]> => {
  const asked = await run('apt-cache', [...apt, 'depends', '-i', 'redis-server', 'redis-tools'])
  const named = [...asked.stdout.matchAll(/^\s*(?:Pre)?Depends: ((?:lib|lua-)[a-z0-9.+-]+)(?::\w+)?$/gm)].map(
    (m) => m[1] ?? '',
  )
  const needed = named.filter((name) => name !== '' && !ALWAYS_THERE.test(name))
  return needed.length > 0 ? [...new Set(['redis-server', 'redis-tools', ...needed])] : PACKAGES
}

/** Downloads into `dir`; the last complaint of apt when it did not work. */
const download = async (dir: string, log: (line: string) => void): Promise<string | null> => {
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []
  const direct = await run('apt-get', [...sandbox, 'download', '-qq', ...(await closure([]))], { cwd: dir })
  if (direct.code === 0) return null
  log('reading the package lists of this system (once)')
  const apt = await privateApt(join(dir, 'apt'))
  const update = await run('apt-get', [...apt, 'update', '-qq'], { timeoutMs: 180_000 })
  const second = await run('apt-get', [...apt, 'download', '-qq', ...(await closure(apt))], { cwd: dir })
  if (second.code === 0) return null
  return (second.stderr || update.stderr || direct.stderr).trim().split('\n').slice(-3).join(' ')
}

export const isDebian = async (): Promise<boolean> => {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(text)
}

/**
 * The unpacked server under `cacheDir`, made when it is not there yet. Callers side by side each unpack into a
 * folder of their own and rename it into place: the first one wins, the others use what it left.
 * Answers a sentence instead when it cannot be had.
 */
export const unpackRedis = async (cacheDir: string, log: (line: string) => void): Promise<Unpacked | string> => {
  const target = join(cacheDir, `redis-${process.arch}`)
  const ready = await describe(target)
  if (ready) return ready
  if (!(await isDebian())) return 'not Debian or Ubuntu'
  log(`no Redis on this machine: unpacking the distribution's package into ${target} (nothing is installed)`)
  await mkdir(cacheDir, { recursive: true })
  const work = await mkdtemp(join(cacheDir, 'unpack-'))
  try {
    const complaint = await download(work, log)
    if (complaint !== null) return `apt-get could not download it: ${complaint}`
    const tree = join(work, 'tree')
    await mkdir(tree)
    for (const name of await readdir(work)) {
      if (!name.endsWith('.deb')) continue
      const unpacked = await run('dpkg-deb', ['-x', join(work, name), tree])
      if (unpacked.code !== 0) return `dpkg-deb could not unpack ${name}: ${unpacked.stderr.trim()}`
    }
    if (!(await describe(tree))) return 'the package holds no redis-server'
    await rename(tree, target).catch(async (error: unknown) => {
      if (!(await describe(target))) throw error
    })
    return (await describe(target)) ?? 'the unpacked Redis vanished'
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
