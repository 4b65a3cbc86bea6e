// Finds a Redis (or Valkey) server to start: on PATH, unpacked from the distribution's package, or in Docker.
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { unpackRedis } from './apt.ts'
import { readConfig } from './config.ts'
import { run } from './shell.ts'

export interface RedisServer {
  /** The program: the server itself, or `docker`. */
  command: string
  /** Added to the environment of the server. */
  env: Record<string, string>
  source: 'path' | 'package' | 'docker'
  /** For example `7.0.15`. */
  version: string
}

export const DOCKER_IMAGE = 'redis:7.4-alpine'
/** The oldest version whose commands are enough for our scripts and for BullMQ. */
const OLDEST = [6, 2] as const

/** No server could be had, or the one found is too old. The message says what to do. */
export class NoRedisError extends Error {
  override readonly name = 'NoRedisError'
}

/** `7.0.15` out of `Redis server v=7.0.15 sha=…` or `Valkey server v=8.0.1 …`; null when it is neither. */
export const parseVersion = (text: string): string | null => /\bserver v=(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? null

export const isTooOld = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
}

const tooOld = (command: string, version: string): NoRedisError =>
  new NoRedisError(
    `${command} is version ${version}; Stepfleet needs Redis ${OLDEST.join('.')} or newer (or any Valkey). ` +
      'Install a newer one, or set STEPFLEET_REDIS_URL to a server that is.',
  )

const versionOf = async (command: string, env: Record<string, string>): Promise<string | null> => {
  const said = await run(command, ['--version'], { env, timeoutMs: 10_000 })
  return said.code === 0 ? parseVersion(said.stdout) : null
}

const onPath = async (folders: string[], name: string): Promise<string | null> => {
  for (const folder of folders) {
    const file = join(folder, name)
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  return null
}

const fromPath = async (folders: string[]): Promise<RedisServer | null> => {
  for (const name of ['redis-server', 'valkey-server']) {
    const command = await onPath(folders, name)
    const version = command ? await versionOf(command, {}) : null
    if (!command || !version) continue
    if (isTooOld(version)) throw tooOld(command, version)
    return { command, env: {}, source: 'path', version }
  }
  return null
}

/** True when a Docker engine answers. */
export const dockerAnswers = async (): Promise<boolean> =>
  (await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: 5_000 })).code === 0

const HOW = `No Redis server was found, and none could be fetched. Do one of these:
  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install -y redis-server
  macOS:           brew install redis
  Docker:          docker run -d -p 6379:6379 redis:7.4-alpine redis-server --appendonly yes
                   export STEPFLEET_REDIS_URL=redis://127.0.0.1:6379`

/**
 * Order: `redis-server` or `valkey-server` on PATH; the distribution's package unpacked into STEPFLEET_CACHE
 * (~/.cache/stepfleet) on Debian and Ubuntu; Docker. Throws NoRedisError with the commands to run.
 */
export const findRedisServer = async (log: (line: string) => void = () => {}): Promise<RedisServer> => {
  const config = readConfig()
  const installed = await fromPath(config.path)
  if (installed) return installed
  const unpacked = await unpackRedis(join(config.cacheDir, 'redis'), log)
  let why = typeof unpacked === 'string' ? unpacked : ''
  if (typeof unpacked !== 'string') {
    const libraries = config.libraryPath ? [...unpacked.libraries, config.libraryPath] : unpacked.libraries
    const env = { LD_LIBRARY_PATH: libraries.join(':') }
    const version = await versionOf(unpacked.command, env)
    if (version && isTooOld(version)) throw tooOld(unpacked.command, version)
    if (version) return { command: unpacked.command, env, source: 'package', version }
    why = `the unpacked ${unpacked.command} does not start`
  }
  if (await dockerAnswers()) return { command: 'docker', env: {}, source: 'docker', version: '7.4.0' }
  throw new NoRedisError(`${HOW}\n(${why})`)
}
