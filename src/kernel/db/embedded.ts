import { realpath } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { quietLog, type DbConfig, type DbLog } from './config.ts'
import { chooseAccount } from './embedded/account.ts'
import { findBinaries } from './embedded/binaries.ts'
import { adopt, ensureCluster, launch, refuseMissing, type Cluster } from './embedded/cluster.ts'
import { forgetSockets, prepareLayout } from './embedded/layout.ts'
import { readPidFile, rotate, serves, stopServer, watch, type Running } from './embedded/process.ts'
import { configFor, ensureRoles } from './embedded/roles.ts'
import { APP, OWNER, PORT, SUPER } from './embedded/settings.ts'

export type EmbeddedEvent =
  | { kind: 'down' }
  | { kind: 'up'; attempts: number }
  /** A restart did not work; it is tried again. */
  | { kind: 'restart-failed'; attempts: number; reason: string }

export interface EmbeddedOptions {
  /** SEALBOOK_HOME; its lock must be held by this process. */
  home: string
  log?: DbLog
  onEvent?: (event: EmbeddedEvent) => void
  /** false: refuse ('database-missing') instead of making a new, empty cluster. Default true. */
  create?: boolean
}

export interface Embedded {
  /** Superuser of the cluster: backups, test databases. The application never uses it. */
  readonly superConfig: DbConfig
  /** Role sealbook_owner: migrations only. */
  readonly adminConfig: DbConfig
  /** Role sealbook_app. */
  readonly appConfig: DbConfig
  readonly appRole: string
  /** The postmaster; changes when it had to be restarted. */
  readonly pid: number
  /** True when this start made the cluster. */
  readonly created: boolean
  /** True when a server left behind by a killed process was taken over. */
  readonly adopted: boolean
  /** Fast shutdown; resolves when the process is gone. */
  stop(): Promise<void>
}

const LONGEST_PAUSE_MS = 10_000

/**
 * Starts, or takes over, the PostgreSQL of HOME/postgres and keeps it running until `stop`.
 * Throws Refusal: database-account, -binaries, -socket, -missing, -damaged, -other-version, -elsewhere, -not-started, disk-full.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const log = options.log ?? quietLog
  const home = await realpath(options.home)
  const account = chooseAccount()
  if (options.create === false) await refuseMissing(home)
  const cluster: Cluster = { account, log, binaries: await findBinaries(account), layout: await prepareLayout(home, account) }
  const created = await ensureCluster(cluster)
  const left = await adopt(cluster)
  const running = left ?? (await launch(cluster))
  const { sockets } = cluster.layout
  try {
    await ensureRoles(configFor(SUPER, sockets, PORT, 'postgres'))
  } catch (error) {
    await stopServer(running)
    throw error
  }
  const keeper = new Keeper(cluster, running, options.onEvent ?? (() => {}))
  return {
    superConfig: configFor(SUPER, sockets, PORT, 'postgres'),
    adminConfig: configFor(OWNER, sockets, PORT),
    appConfig: configFor(APP, sockets, PORT),
    appRole: APP,
    get pid() {
      return keeper.pid
    },
    created,
    adopted: left !== undefined,
    stop: () => keeper.stop(),
  }
}

/** Stops a server that a killed process left behind in a home nobody uses any more. */
export async function stopLeftBehind(home: string): Promise<void> {
  const account = chooseAccount()
  const layout = await prepareLayout(await realpath(home), account)
  const file = await readPidFile(layout.data)
  if (file && (await serves(file.pid, layout))) await stopServer(watch(file.pid, layout))
}

/** Restarts a server that died, with growing pauses, for as long as it takes. */
class Keeper {
  #running: Running
  #stopping = false
  readonly #done: Promise<void>
  readonly #wake = new AbortController()
  readonly #cluster: Cluster
  readonly #tell: (event: EmbeddedEvent) => void
  readonly #rotation: NodeJS.Timeout

  constructor(cluster: Cluster, running: Running, tell: (event: EmbeddedEvent) => void) {
    this.#cluster = cluster
    this.#running = running
    this.#tell = tell
    this.#rotation = setInterval(() => void rotate(cluster.layout.logFile).catch(() => {}), 3_600_000)
    this.#rotation.unref()
    this.#done = this.#keep()
  }

  get pid(): number {
    return this.#running.pid
  }

  async #keep(): Promise<void> {
    while (!this.#stopping) {
      await this.#running.gone.catch(() => {})
      if (this.#stopping) return
      this.#cluster.log.error({ pid: this.pid }, 'the database server died; restarting it')
      this.#tell({ kind: 'down' })
      await this.#restart()
    }
  }

  async #restart(): Promise<void> {
    for (let attempts = 1; !this.#stopping; attempts++) {
      try {
        this.#running = (await adopt(this.#cluster)) ?? (await launch(this.#cluster))
        this.#tell({ kind: 'up', attempts })
        return
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'unknown'
        this.#cluster.log.error({ attempts }, `the database server could not be restarted: ${reason}`)
        this.#tell({ kind: 'restart-failed', attempts, reason })
        await sleep(Math.min(250 * 2 ** attempts, LONGEST_PAUSE_MS), undefined, { signal: this.#wake.signal }).catch(() => {})
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#wake.abort()
    clearInterval(this.#rotation)
    await stopServer(this.#running)
    await this.#done
    // A restart that was under way when stop was called has started another one.
    await stopServer(this.#running)
    await forgetSockets(this.#cluster.layout)
  }
}
