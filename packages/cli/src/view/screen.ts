// Writes a picture that changes: redrawn in place on a terminal, one line per change elsewhere.
export interface Output {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
  rows?: number
}

export interface Screen {
  readonly live: boolean
  readonly width: number
  readonly rows: number
  /** Replaces the picture. Nothing happens where nothing can be redrawn. */
  draw(lines: string[]): void
  /** A line that stays, above the picture. */
  print(line: string): void
  /** Leaves the picture as it is and goes on below it. */
  release(): void
}

export const createScreen = (out: Output): Screen => {
  const live = out.isTTY === true
  let shown: string[] = []
  const erase = (): string => (shown.length > 0 ? `\u001b[${shown.length}A\u001b[0J` : '')
  return {
    live,
    get width() {
      return live ? Math.max(20, (out.columns ?? 80) - 1) : 200
    },
    get rows() {
      // one row is the cursor's
      return live ? Math.max(4, (out.rows ?? 24) - 1) : 1_000
    },
    draw: (lines) => {
      if (!live) return
      // one write, so that it does not flicker
      out.write(`${erase()}${lines.map((text) => `${text}\n`).join('')}`)
      shown = lines
    },
    print: (text) => {
      out.write(`${live ? erase() : ''}${text}\n${live ? shown.map((one) => `${one}\n`).join('') : ''}`)
    },
    release: () => {
      shown = []
    },
  }
}
