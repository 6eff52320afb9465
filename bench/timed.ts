import { cpuSecondsOf } from './machine.ts'

const WARM_UP = 5

/** Does something over and over and prints the median and 95th percentile of one in milliseconds, and the server's processor time for it, which hardly moves when the machine is busy with other things. */
export async function printTimed(name: string, pid: number, rounds: number, once: () => Promise<unknown>): Promise<void> {
  const times: number[] = []
  let before = 0
  for (let round = -WARM_UP; round < rounds; round++) {
    if (round === 0) before = cpuSecondsOf(pid)
    const start = performance.now()
    await once()
    if (round >= 0) times.push(performance.now() - start)
  }
  const cpu = ((cpuSecondsOf(pid) - before) * 1000) / rounds
  times.sort((a, b) => a - b)
  const ms = (value: number): string => value.toFixed(1).padStart(8)
  process.stdout.write(`${name.padEnd(28)}${ms(times[times.length >> 1]!)} ms p50${ms(times[Math.floor(times.length * 0.95)]!)} ms p95${ms(cpu)} ms cpu\n`)
}
