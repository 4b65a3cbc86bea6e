// Holders as text: `<run>/<path>`. Ids of runs have no `/`, paths have no spaces.
import type { Holder } from './port.ts'

export const holderText = ({ run, path }: Holder): string => `${run}/${path}`

export const parseHolder = (text: string): Holder => {
  const slash = text.indexOf('/')
  return { run: text.slice(0, slash), path: text.slice(slash + 1) }
}
