// The HEALTHCHECK of the images: exit code 0 when the service in this container says that it is ready.

/** @param {string} name @param {number} fallback */
const portOf = (name, fallback) => Number(process.env[name] || fallback)

/**
 * Where a service answers. An orchestrator with a door and the escalation service answer on their door; all others on
 * STEPFLEET_HEALTH_PORT. The scripted model works as soon as it listens, so it knows /healthz alone.
 * @param {string | undefined} service
 */
const addressOf = (service) => {
  if (service === 'scripted-model') return `127.0.0.1:${portOf('STEPFLEET_PORT', 7480)}/healthz`
  if (service === 'escalation') return `127.0.0.1:${portOf('STEPFLEET_PORT', 7410)}/readyz`
  if (service === 'orchestrator' && process.env.ROLE !== 'engine')
    return `127.0.0.1:${portOf('STEPFLEET_PORT', 7400)}/readyz`
  return `127.0.0.1:${portOf('STEPFLEET_HEALTH_PORT', 7401)}/readyz`
}

try {
  const response = await fetch(`http://${addressOf(process.env.STEPFLEET_SERVICE)}`, {
    signal: AbortSignal.timeout(4_000),
  })
  // the reason why it is not ready: `docker inspect` shows it
  console.log(await response.text())
  process.exitCode = response.ok ? 0 : 1
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
