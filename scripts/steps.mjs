// What the root scripts share: run before anything is installed, so only Node's own modules are used.
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Ends the process with a sentence when this Node is too old. */
export const checkNode = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 20)) return
  console.error(
    `Stepfleet needs Node.js 20.20 or newer; this is ${process.versions.node}.\n` +
      'Install a newer one (https://nodejs.org, or `nvm install` in this folder) and try again.',
  )
  process.exit(1)
}

/**
 * Runs a command in the repository, its output shown; answers its exit code (128 + n for a signal).
 * @param {string} command
 * @param {readonly string[]} args
 */
export const run = (command, args) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', shell: false })
    // Ctrl-C reaches the child by itself; we wait for it to end
    const wait = () => {}
    process.on('SIGINT', wait)
    const pass = () => child.kill('SIGTERM')
    process.on('SIGTERM', pass)
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      process.removeListener('SIGINT', wait)
      process.removeListener('SIGTERM', pass)
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })

/** @param {string} file */
const timeOf = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0)

/** True when what is installed is missing or older than the lockfile. */
export const installIsStale = () => {
  // npm writes this file at the end of an installation
  const installed = timeOf(join(root, 'node_modules/.package-lock.json'))
  return installed === 0 || installed < timeOf(join(root, 'package-lock.json'))
}

/** Installs when that is needed; ends the process when it fails. */
export const ensureInstalled = async () => {
  if (!installIsStale()) return
  console.log('Installing the dependencies (npm ci) …')
  const code = await run('npm', ['ci'])
  if (code !== 0) {
    console.error(`npm ci failed with exit code ${code}`)
    process.exit(code)
  }
}

/**
 * Says what begins, and how long it took.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} part
 * @returns {Promise<T>}
 */
export const timed = async (name, part) => {
  const startedAtMs = performance.now()
  try {
    return await part()
  } finally {
    console.log(`[${name}: ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s]`)
  }
}
