// store_note: keeps a note in a file named by the effect key, so a repeat finds it there and changes nothing.
import { randomUUID } from 'node:crypto'
import { link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineTool } from 'stepfleet'
import { fileNameOf } from './file-name.mjs'

const folder = process.env.NOTES_DIR || join('.stepfleet', 'notes')

export const storeNote = defineTool({
  name: 'store_note',
  description: 'Stores a note and answers the name it is stored under.',
  input: {
    type: 'object',
    required: ['text'],
    properties: { title: { type: 'string', maxLength: 200 }, text: { type: 'string', minLength: 1 } },
    additionalProperties: false,
  },
  output: { type: 'object', required: ['note'], properties: { note: { type: 'string' } } },
  effect: 'idempotent',
  timeout: '10s',
  run: async ({ title, text }, { effectKey }) => {
    await mkdir(folder, { recursive: true })
    const note = `${fileNameOf(effectKey)}.md`
    const draft = join(folder, `.${randomUUID()}`)
    await writeFile(draft, title ? `# ${title}\n\n${text}\n` : `${text}\n`, { flush: true })
    try {
      // a link appears whole or not at all, and never over a note that is there: half a note cannot be seen
      await link(draft, join(folder, note))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    } finally {
      await rm(draft, { force: true })
    }
    return { note }
  },
})
