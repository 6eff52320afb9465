import pg from 'pg'
import { appLimits, type DbConfig } from '../../src/kernel/db/index.ts'
import { ourClientOptions } from '../../src/kernel/db/client.ts'

export interface Statement {
  /** Prepared once per connection under this name; without one it is planned anew each time, as substring searches must be. */
  name?: string
  text: string
}

interface Lane {
  client: pg.Client
  running: number
}

/** Connections that take several statements at once (pipelined): each statement goes where the fewest wait. */
export class Lanes {
  readonly #lanes: readonly Lane[]

  private constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes
  }

  static async open(config: DbConfig, name: string, count: number): Promise<Lanes> {
    const lanes = Array.from({ length: count }, () => ({ client: new pg.Client(ourClientOptions(config, name, appLimits)), running: 0 }))
    await Promise.all(lanes.map((lane) => lane.client.connect()))
    return new Lanes(lanes)
  }

  async query<R extends object>(statement: Statement, values: readonly unknown[]): Promise<R[]> {
    const lane = this.#emptiest()
    lane.running++
    try {
      const result = await lane.client.query({ ...statement, values: values as unknown[] })
      return result.rows as R[] // the caller names the columns of its own statement
    } finally {
      lane.running--
    }
  }

  #emptiest(): Lane {
    let best = this.#lanes[0]!
    for (const lane of this.#lanes) if (lane.running < best.running) best = lane
    return best
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.client.end()))
  }
}
