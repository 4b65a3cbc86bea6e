// Journal entries of every release become events of today. The only place that knows older shapes.
import { EVENT_VERSION, type Event } from '@stepfleet/contracts'

/** The journal was written by a later version of Stepfleet: this process must not guess what it says. */
export class UnknownEventVersionError extends Error {
  readonly version: unknown
  constructor(version: unknown) {
    super(
      `a journal entry of version ${String(version)}: this process knows versions 1 to ${EVENT_VERSION}, upgrade it`,
    )
    this.name = 'UnknownEventVersionError'
    this.version = version
  }
}

/** An event as some release wrote it: all that is certain is that it tells its version. */
export interface WrittenEvent {
  v: number
  seq: number
  [field: string]: unknown
}

/** Throws UnknownEventVersionError. A new version adds its step here: `case 1` then changes what differs and goes on. */
export const upcast = (event: WrittenEvent): Event => {
  switch (event.v) {
    case EVENT_VERSION:
      // the parsing edge: what the engine wrote under this version has this shape
      return event as unknown as Event
    default:
      throw new UnknownEventVersionError(event.v)
  }
}
