// SHA-256 of a text as UTF-8, in plain TypeScript: the engine has no host to ask. Source: FIPS 180-4.
import { utf8 } from './utf8.ts'

/** The first 32 bits of the fractional parts of the roots of the first primes: of cube roots, and of square roots. */
const fractions = (count: number, power: number): number[] => {
  const found: number[] = []
  for (let candidate = 2; found.length < count; candidate += 1) {
    let isPrime = true
    for (let by = 2; by * by <= candidate; by += 1) if (candidate % by === 0) isPrime = false
    if (!isPrime) continue
    const root = candidate ** power
    found.push(Math.floor((root - Math.floor(root)) * 2 ** 32) | 0)
  }
  return found
}
const K = fractions(64, 1 / 3)
const START = fractions(8, 1 / 2)

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by))

/** The message with its padding and its length in bits, as words of 32 bits. */
const wordsOf = (bytes: readonly number[]): Int32Array => {
  const words = new Int32Array((((bytes.length + 8) >> 6) + 1) * 16)
  for (const [at, byte] of [...bytes, 0x80].entries())
    words[at >> 2] = (words[at >> 2] ?? 0) | (byte << (24 - (at % 4) * 8))
  words[words.length - 2] = Math.floor(bytes.length / 2 ** 29)
  words[words.length - 1] = bytes.length << 3
  return words
}

const at = (list: ArrayLike<number>, index: number): number => list[index] ?? 0

const schedule = (block: Int32Array): Int32Array => {
  const w = new Int32Array(64)
  w.set(block)
  for (let i = 16; i < 64; i += 1) {
    const a = at(w, i - 15)
    const b = at(w, i - 2)
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10)
    w[i] = (at(w, i - 16) + s0 + at(w, i - 7) + s1) | 0
  }
  return w
}

/** One block of 16 words onto the state. */
const compress = (state: Int32Array, block: Int32Array): void => {
  const w = schedule(block)
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i += 1) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(K, i) + at(w, i)) | 0
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0]
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (at(state, i) + word) | 0
}

/** Lower-case hex, 64 digits. */
export const sha256 = (text: string): string => {
  const words = wordsOf(utf8(text))
  const state = Int32Array.from(START)
  for (let i = 0; i < words.length; i += 16) compress(state, words.subarray(i, i + 16))
  return [...state].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}
