const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Calls `stop` once, at the first of SIGINT, SIGTERM, SIGHUP. The handlers stay: terminal, npm and start.mjs may each pass the
 * same Ctrl-C on, and without a handler the second one would end the process in the middle of draining.
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let asked = false
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (asked) return
      asked = true
      stop(signal)
    })
  }
}
