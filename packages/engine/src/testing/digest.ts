// digest: 64 hex digits of a text for tests, where any spread of texts will do. The driver takes SHA-256.
import { unit } from '../decide/retry.ts'

export const digest = (text: string): string =>
  Array.from({ length: 8 }, (_, at) =>
    Math.floor(unit(`${at} ${text}`) * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('')
