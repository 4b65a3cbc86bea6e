// Figures of a run, one line each, so that a slow recovery shows before it breaks its bound.

export const tell = (what: string, ms: number): void => {
  process.stdout.write(`[e2e] ${what}: ${Math.round(ms)} ms\n`)
}
