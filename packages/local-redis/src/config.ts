// Settings of local Redis servers, read from the environment when asked for.
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface Config {
  /** Folders of PATH, in order. */
  path: string[]
  /** STEPFLEET_CACHE, else ~/.cache/stepfleet: where an unpacked Redis is kept. */
  cacheDir: string
  /** LD_LIBRARY_PATH as it stands; kept behind our own. */
  libraryPath: string | undefined
}

export const readConfig = (): Config => ({
  path: (process.env.PATH ?? '').split(':').filter(Boolean),
  cacheDir: process.env.STEPFLEET_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stepfleet'),
  libraryPath: process.env.LD_LIBRARY_PATH,
})

/** The environment a child process gets: ours, and what is added. */
export const childEnv = (more: Record<string, string>): NodeJS.ProcessEnv => ({ ...process.env, ...more })
