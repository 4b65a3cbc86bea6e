// A run as lists show it: its head, nothing loaded.
import type { RunSummary } from '@stepfleet/contracts'
import type { RunHead } from '../store/port.ts'

export const summaryOf = (head: RunHead): RunSummary => ({
  id: head.run,
  namespace: head.ns,
  workflow: head.workflow,
  status: head.status,
  labels: head.labels,
  createdAtMs: head.createdAtMs,
  endedAtMs: head.endedAtMs,
  version: head.version,
})
