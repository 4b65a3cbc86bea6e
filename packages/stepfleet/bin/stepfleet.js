#!/usr/bin/env node
// The `stepfleet` command.
import { main } from '@stepfleet/cli'

// a reader that closes the pipe early (`| head`) is no error
process.stdout.on('error', () => process.exit(0))
await main(process.argv.slice(2))
