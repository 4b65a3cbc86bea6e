// `npm start`: from a fresh checkout to a running fleet with a demo. `npm start -- --once` ends when the demo does.
console.log('Stepfleet: getting ready …')
const { checkNode, ensureInstalled, root, run } = await import('./steps.mjs')
const { join } = await import('node:path')
checkNode()
await ensureInstalled()
console.log('Building …')
const { build } = await import('./build.mjs')
const built = await build()
if (built !== 0) {
  console.error('The build failed; the messages above say where.')
  process.exit(built)
}
process.exitCode = await run(process.execPath, [
  join(root, 'packages/stepfleet/bin/stepfleet.js'),
  'demo',
  ...process.argv.slice(2),
])
