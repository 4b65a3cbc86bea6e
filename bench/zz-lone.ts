import { startFleet, REPOSITORY } from './lib/fleet.ts'
import { createApi, register, expectOk, until, pause } from './lib/http.ts'
import { openTells } from './lib/tells.ts'
import { join } from 'node:path'
import { Redis } from 'ioredis'
const root = process.argv[2] ?? REPOSITORY
const tells = await openTells()
const fleet = await startFleet({ root, dir: '/tmp/lone-dir', appendfsync: 'everysec', roles: 'all', toolWorkers: 1, tools: [join(REPOSITORY,'bench/tools/tell.mjs')], env: { BENCH_TELL_PORT: String(tells.port), STEPFLEET_LOG_LEVEL: 'info' } })
const api = createApi(fleet.url)
await register(api, { name: 'lone', steps: Object.fromEntries(Array.from({length: 50}, (_, i) => [`s${i+1}`, { tool: 'tell', with: i ? { go: `\${{ steps.s${i}.output.ok }}` } : {} }])) })
const redis = new Redis(fleet.redis.url)
for (let k = 0; k < Number(process.argv[3] ?? 20); k++) {
  const t: { at: number, path: string }[] = []
  tells.listen(({ atMs, path }) => t.push({ at: atMs, path }))
  expectOk(await api.post('/v1/runs', { id: `l${k}`, workflow: 'lone' }))
  await until('x', 120000, () => t.length >= 50, 5)
  const gaps = t.slice(1).map((x, i) => ({ ms: x.at - t[i]!.at, path: x.path, at: x.at }))
  const big = gaps.filter(g => g.ms > 300)
  const s = gaps.map(g => g.ms).sort((a, b) => a - b)
  console.log(k, 'p50', s[24]!.toFixed(2), 'max', s.at(-1)!.toFixed(0), big.map(b => `${b.path} ${b.ms.toFixed(0)} at ${new Date(b.at).toISOString()}`).join(' '))
  if (big.length) {
    const { events } = expectOk(await api.get<any>(`/v1/runs/l${k}/journal?limit=1000`))
    for (const b of big) console.log(events.filter((e: any) => e.path === b.path).map((e: any) => `${e.type} ${new Date(e.atMs).toISOString().slice(14)} started ${e.startedAtMs ? new Date(e.startedAtMs).toISOString().slice(14) : ''}`).join(' | '))
  }
}
redis.disconnect(); api.close(); tells.close(); await fleet.stop()
