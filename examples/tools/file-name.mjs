// A file name out of an effect key, for the tools beside it that keep one file per key.
import { createHash } from 'node:crypto'

/**
 * Safe in every file system, different for different keys, and still readable: `/` becomes `_`, and a hash keeps
 * apart what that, or the cut to 120 characters, would make equal.
 * @param {string} effectKey
 * @returns {string}
 */
export const fileNameOf = (effectKey) => {
  const readable = effectKey.replaceAll(/[^A-Za-z0-9-]/g, '_').slice(0, 120)
  return `${readable}.${createHash('sha256').update(effectKey).digest('hex').slice(0, 12)}`
}
