// Random numbers that a replay draws again: the same text gives the same sequence.

/** Four words out of a text, each from another start (FNV-1a). */
const seedOf = (text: string): [number, number, number, number] => {
  const word = (start: number): number => {
    let hash = start
    for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    return hash >>> 0
  }
  return [word(0x811c9dc5), word(0x9e3779b9), word(0x85ebca6b), word(0xc2b2ae35)]
}

/** The first numbers after seeding are still alike for texts that are. */
const WARM_UP = 15

/**
 * Draws 32 random bits, again and again (sfc32 of the PractRand suite, https://pracrand.sourceforge.net). Not for secrets.
 */
export const createRandom = (text: string): (() => number) => {
  let [a, b, c, counter] = seedOf(text)
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let i = 0; i < WARM_UP; i += 1) next()
  return next
}

/** A UUID of version 4 (RFC 9562) out of random bits. */
export const uuidOf = (bits: () => number): string => {
  const hex = [bits(), bits(), bits(), bits()].map((word) => word.toString(16).padStart(8, '0')).join('')
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}
