// outbox: "sends" a mail by putting it into a folder. Like a real mail it cannot be taken back, and a mail that is
// sent twice is there twice: it refuses nothing, so a folder with two mails of one key shows a broken promise.
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineTool } from 'stepfleet'
import { fileNameOf } from './file-name.mjs'

const folder = process.env.OUTBOX_DIR || join('.stepfleet', 'outbox')

export const outbox = defineTool({
  name: 'outbox',
  description: 'Sends a mail. It cannot be unsent.',
  input: {
    type: 'object',
    required: ['to', 'body'],
    properties: {
      to: { type: 'string', minLength: 3 },
      subject: { type: 'string' },
      body: { type: 'string' },
    },
    additionalProperties: false,
  },
  effect: 'once',
  timeout: '30s',
  run: async (mail, { effectKey, attempt, log }) => {
    await mkdir(folder, { recursive: true })
    const file = `${fileNameOf(effectKey)}.${randomUUID()}.json`
    const text = JSON.stringify({ ...mail, effectKey, attempt, sentAt: new Date().toISOString() }, null, 2)
    await writeFile(join(folder, file), `${text}\n`, { flag: 'wx', flush: true })
    log.info('mail is in the outbox', { file })
    return { file }
  },
})
