// `npm run schema`: writes schema/workflow.schema.json from the shapes of packages/contracts.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { workflowJsonSchema } from '@stepfleet/contracts'
import { root } from './steps.mjs'

const file = join(root, 'schema/workflow.schema.json')
mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, `${JSON.stringify(workflowJsonSchema(), null, 2)}\n`)
// as `npm run check` wants it
const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
const formatted = spawnSync(process.execPath, [biome, 'format', '--write', file], { cwd: root, stdio: 'inherit' })
process.exitCode = formatted.status ?? 1
