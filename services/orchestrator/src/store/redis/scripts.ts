// The store's Lua scripts as commands of a client.
import { luaScript, type RedisClient } from '@stepfleet/runtime'
import type { ClientContext, Result } from 'ioredis'

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sfSubmit(...args: string[]): Result<unknown, Context>
    sfAppend(...args: string[]): Result<unknown, Context>
    sfOwn(...args: string[]): Result<unknown, Context>
    sfRelease(...args: string[]): Result<number, Context>
    sfRipen(...args: string[]): Result<unknown, Context>
    sfDiscard(...args: string[]): Result<number, Context>
    sfTrial(...args: string[]): Result<number, Context>
    sfBury(...args: string[]): Result<number, Context>
    sfSnapshot(...args: string[]): Result<number, Context>
    sfUnsent(...args: string[]): Result<string[], Context>
    sfForget(...args: string[]): Result<number, Context>
    sfRegister(...args: string[]): Result<unknown, Context>
  }
}

const FILES = {
  sfSubmit: 'submit.6.lua',
  sfAppend: 'append.8.lua',
  sfOwn: 'own.1.lua',
  sfRelease: 'release.1.lua',
  sfRipen: 'ripen.3.lua',
  sfDiscard: 'discard.3.lua',
  sfTrial: 'trial.1.lua',
  sfBury: 'bury.4.lua',
  sfSnapshot: 'snapshot.2.lua',
  sfUnsent: 'unsent.1.lua',
  sfForget: 'forget.2.lua',
  sfRegister: 'register.1.lua',
} as const

/** Reads the script files and makes them commands of this client (and of its pipelines). */
export const defineStoreScripts = (client: RedisClient): void => {
  for (const [name, file] of Object.entries(FILES)) {
    client.defineCommand(name, luaScript(new URL(`../lua/${file}`, import.meta.url)))
  }
}
