// Figures of a run, one line each, so that a slow recovery shows before it breaks its bound.

export const tell = (what: string, value: number, unit = 'ms'): void => {
  process.stdout.write(`[e2e] ${what}: ${Math.round(value)} ${unit}\n`)
}
