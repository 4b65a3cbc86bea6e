// The value of a field of `run:<id>:out`: what is out now for one step.

/**
 * Written as `attempt|delivery|worker|claimedAtMs|token|begun|reported`; empty worker: unclaimed.
 * A dispatch adds the field, an end removes it; a claim is granted only for a field that is there.
 */
export interface OutEntry {
  attempt: number
  delivery: number
  worker: string | null
  claimedAtMs: number | null
  token: string | null
  begun: boolean
  reported: boolean
}

export const formatOut = (attempt: number, delivery: number): string => `${attempt}|${delivery}|||||`

export const parseOut = (text: string): OutEntry => {
  const [attempt = '', delivery = '', worker = '', at = '', token = '', begun = '', reported = ''] = text.split('|')
  return {
    attempt: Number(attempt),
    delivery: Number(delivery),
    worker: worker || null,
    claimedAtMs: at ? Number(at) : null,
    token: token || null,
    begun: begun === '1',
    reported: reported === '1',
  }
}
