// reserve, cancel_reservation, charge: the tools of the saga. Each effect is a file, so that what happened can be counted:
// a reservation and its cancelling are named by the effect key and repeat into the same file, a charge never does.
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineTool, ToolError } from 'stepfleet'
import { fileNameOf } from './file-name.mjs'

const folder = process.env.TRIPS_DIR || join('.stepfleet', 'trips')

/** @param {string} name @param {unknown} effect */
const keep = async (name, effect) => {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, name), `${JSON.stringify(effect)}\n`, { flush: true })
}

export const reserve = defineTool({
  name: 'reserve',
  description: 'Reserves a flight or a hotel.',
  input: {
    type: 'object',
    required: ['what', 'for'],
    properties: { what: { enum: ['flight', 'hotel'] }, for: { type: 'string', minLength: 1 } },
    additionalProperties: false,
  },
  effect: 'idempotent',
  timeout: '10s',
  run: async (order, { effectKey }) => {
    const reservation = createHash('sha256').update(effectKey).digest('hex').slice(0, 8)
    await keep(`reserved-${fileNameOf(effectKey)}.json`, { ...order, reservation, effectKey })
    return { reservation }
  },
})

export const cancelReservation = defineTool({
  name: 'cancel_reservation',
  description: 'Cancels a reservation.',
  input: {
    type: 'object',
    required: ['reservation'],
    properties: { reservation: { type: 'string', minLength: 1 } },
    additionalProperties: false,
  },
  effect: 'idempotent',
  timeout: '10s',
  run: async ({ reservation }, { effectKey }) => {
    await keep(`cancelled-${fileNameOf(effectKey)}.json`, { reservation, effectKey })
    return { cancelled: reservation }
  },
})

export const charge = defineTool({
  name: 'charge',
  description: 'Charges a card; the card "declined" is declined.',
  input: {
    type: 'object',
    required: ['card', 'amount'],
    properties: { card: { type: 'string' }, amount: { type: 'number', minimum: 0 } },
    additionalProperties: false,
  },
  effect: 'once',
  timeout: '10s',
  run: async ({ card, amount }, { effectKey }) => {
    if (card === 'declined') throw new ToolError('the card was declined', { class: 'permanent' })
    await keep(`charged-${fileNameOf(effectKey)}.${randomUUID()}.json`, { amount, effectKey })
    return { charged: amount }
  },
})
