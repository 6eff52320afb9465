const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Terminal, npm and start.mjs each pass the same Ctrl-C on; within this time it is one. */
const ECHO_MS = 1_000

/**
 * Calls `stop` at the first of SIGINT, SIGTERM, SIGHUP, and `again` (if given) when somebody asks a second time, a second or
 * more later. The handlers stay, because without one an echo of the first signal would end the process in the middle of draining.
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void, again?: () => void): void {
  let asked: number | undefined
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (asked === undefined) {
        asked = Date.now()
        stop(signal)
      } else if (Date.now() - asked >= ECHO_MS) again?.()
    })
  }
}
