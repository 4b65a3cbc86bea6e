// The three protocols, and which of them a path belongs to.
import type { ProtocolName } from '../answering/script.ts'
import { anthropic } from './anthropic.ts'
import { gemini } from './gemini.ts'
import { openai } from './openai.ts'
import type { Protocol } from './protocol.ts'

export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = { anthropic, openai, gemini }

/** The protocol whose call this path is, or null. */
export const protocolTaking = (path: string): Protocol | null =>
  Object.values(PROTOCOLS).find((protocol) => protocol.takes(path)) ?? null

/** The protocol in whose words a path that nobody takes is refused. */
export const protocolFor = (path: string): Protocol => {
  if (path.startsWith('/v1beta/') || path.startsWith('/v1/models/')) return gemini
  return path.startsWith('/v1/chat/') ? openai : (protocolTaking(path) ?? anthropic)
}
