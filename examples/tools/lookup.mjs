// lookup: searches the small text corpus in examples/data/corpus and answers the passages that fit best.
import { readdir, readFile } from 'node:fs/promises'
import { defineTool } from 'stepfleet'
import { z } from 'zod'

const CORPUS = new URL('../data/corpus/', import.meta.url)

/** @typedef {{ source: string, title: string, text: string, words: Map<string, number> }} Passage */

/** Lower-case words of two letters and more, without the plural's s: "pumps" finds "pump". @param {string} text */
const wordsOf = (text) =>
  (text.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu) ?? []).map((word) => word.replace(/(?<=...)s$/, ''))

/** @param {string[]} words */
const countsOf = (words) => {
  const counts = new Map()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** A file is `# Title` and paragraphs; each paragraph is a passage. @returns {Promise<Passage[]>} */
const loadCorpus = async () => {
  const files = (await readdir(CORPUS)).filter((name) => name.endsWith('.md')).sort()
  const passages = await Promise.all(
    files.map(async (source) => {
      const [head = '', ...paragraphs] = (await readFile(new URL(source, CORPUS), 'utf8')).trim().split(/\n\s*\n/)
      const title = head.replace(/^#\s*/, '')
      return paragraphs.map((paragraph) => {
        const text = paragraph.replaceAll(/\s+/g, ' ')
        return { source, title, text, words: countsOf([...wordsOf(title), ...wordsOf(text)]) }
      })
    }),
  )
  return passages.flat()
}

/** @type {Promise<Passage[]> | null} */
let corpus = null

/**
 * BM25 with its usual constants. Source: Robertson and Zaragoza, The Probabilistic Relevance Framework (2009).
 * @param {Passage[]} passages
 * @param {string} query
 */
const rank = (passages, query) => {
  const terms = [...new Set(wordsOf(query))]
  const average = passages.reduce((sum, { words }) => sum + words.size, 0) / passages.length
  const rarity = new Map(
    terms.map((term) => {
      const holders = passages.filter(({ words }) => words.has(term)).length
      return [term, Math.log(1 + (passages.length - holders + 0.5) / (holders + 0.5))]
    }),
  )
  const scoreOf = (/** @type {Passage} */ { words }) =>
    terms.reduce((sum, term) => {
      const count = words.get(term) ?? 0
      return sum + ((rarity.get(term) ?? 0) * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * words.size) / average))
    }, 0)
  return passages
    .map((passage) => ({ passage, score: scoreOf(passage) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
}

export const lookup = defineTool({
  name: 'lookup',
  description:
    'Searches the library for a question or some words and answers the passages that fit best, with their source.',
  input: z.strictObject({
    query: z.string().min(1).max(500),
    limit: z.int().min(1).max(10).default(3).describe('How many passages at most'),
  }),
  output: z.object({
    passages: z.array(z.object({ source: z.string(), title: z.string(), text: z.string(), score: z.number() })),
  }),
  effect: 'read',
  timeout: '10s',
  run: async ({ query, limit }) => {
    // a failed load is not kept: the next call tries again
    corpus ??= loadCorpus().catch((error) => {
      corpus = null
      throw error
    })
    const found = rank(await corpus, query).slice(0, limit)
    return {
      passages: found.map(({ passage: { source, title, text }, score }) => ({
        source,
        title,
        text,
        score: Math.round(score * 1000) / 1000,
      })),
    }
  },
})
