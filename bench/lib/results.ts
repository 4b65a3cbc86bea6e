// Results as a table on the terminal and as JSON in bench/results, with what they were measured on.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join, relative } from 'node:path'
import { Redis } from 'ioredis'
import { REPOSITORY } from './fleet.ts'

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)

/** Nearest rank. NaN of none. */
export const quantile = (numbers: readonly number[], share: number): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export const redisVersion = async (url: string): Promise<string> => {
  const redis = new Redis(url)
  const info = await redis.info('server')
  redis.disconnect()
  return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'
}

/** Rows of equal length; the first one is the head. */
export const printTable = (rows: readonly (readonly (string | number)[])[]): void => {
  const text = rows.map((row) => row.map(String))
  const widths = (text[0] ?? []).map((_, column) => Math.max(...text.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = text
  console.log(line(head))
  console.log(`| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`)
  for (const row of body) console.log(line(row))
}

/** Writes `bench/results/<name>.json`. */
export const writeResults = (name: string, redis: string, results: object): void => {
  const dir = join(REPOSITORY, 'bench/results')
  mkdirSync(dir, { recursive: true })
  const script = relative(REPOSITORY, process.argv[1] ?? '')
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    redis,
  }
  const command = ['npx tsx', script, ...process.argv.slice(2)].join(' ')
  const file = join(dir, `${name}.json`)
  writeFileSync(file, `${JSON.stringify({ command, date: new Date().toISOString(), machine, ...results }, null, 2)}\n`)
  console.log(`written: ${relative(process.cwd(), file)}`)
}
