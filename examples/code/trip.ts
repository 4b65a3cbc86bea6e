// A saga as code: what was booked is cancelled again, newest first, when a later booking fails for good.
// examples/code/trip.yaml is the same as a graph. The tools (book_flight, cancel_flight, …) are for you to bring:
// docs/guide/tools.md. Until a worker serves them, the step says that it waits for one.
import { defineWorkflow } from 'stepfleet'
import { z } from 'zod'

export const trip = defineWorkflow(
  {
    name: 'trip-code',
    description: 'Books a flight, a hotel and a car, or nothing.',
    input: z.object({ trip: z.string().min(1) }),
  },
  async (run, input) => {
    const order = { trip: input.trip }
    const flight = await run.tool('flight', {
      tool: 'book_flight',
      with: order,
      effect: 'idempotent',
      compensate: { tool: 'cancel_flight', with: order, effect: 'idempotent' },
    })
    const hotel = await run.tool('hotel', {
      tool: 'book_hotel',
      with: order,
      effect: 'idempotent',
      compensate: { tool: 'cancel_hotel', with: order, effect: 'idempotent' },
    })
    // not caught, the failure is that of the run, and the bookings above are undone
    const car = await run.tool('car', {
      tool: 'book_car',
      with: order,
      effect: 'idempotent',
      retry: { attempts: 1 },
      on_failure: 'fail',
    })
    return { flight, hotel, car }
  },
)
