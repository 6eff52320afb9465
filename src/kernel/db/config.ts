import type { ConnectionOptions } from 'node:tls'

/** Where a PostgreSQL is and as whom to speak to it. `host` starting with `/` is the directory of a unix socket. */
export interface DbConfig {
  host: string
  port: number
  user: string
  database: string
  password?: string
  /** false on a unix socket or loopback; otherwise TLS with verification. */
  ssl: ConnectionOptions | false
}

/** What pino and the tests both offer. Values never go in: names, codes, counts and durations only. */
export interface DbLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export const quietLog: DbLog = { info: () => {}, warn: () => {}, error: () => {} }

/** Guards of a session. The app role gets them all; migrations wait as long as they need. */
export interface SessionLimits {
  statementSeconds: number
  lockSeconds: number
  idleInTransactionSeconds: number
}

export const appLimits: SessionLimits = { statementSeconds: 30, lockSeconds: 5, idleInTransactionSeconds: 60 }

// Our decoders read these formats; a server or role with other defaults would otherwise change what a timestamp looks like.
const formats = '-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601 -c bytea_output=hex -c extra_float_digits=1'

/** Everything given, nothing taken from PG* variables of the environment: a stray PGPASSWORD or PGHOST must not redirect us. */
export function clientOptions(config: DbConfig, name: string, limits?: SessionLimits): Record<string, unknown> {
  return {
    host: config.host,
    port: config.port,
    user: config.user,
    database: config.database,
    // A function, because the driver takes an empty string for "look into PGPASSWORD and ~/.pgpass".
    password: config.password ?? (() => ''),
    ssl: config.ssl,
    application_name: name,
    options: formats,
    client_encoding: 'UTF8',
    connectionTimeoutMillis: 5_000,
    keepAlive: !config.host.startsWith('/'),
    ...(limits && {
      statement_timeout: limits.statementSeconds * 1000,
      lock_timeout: limits.lockSeconds * 1000,
      idle_in_transaction_session_timeout: limits.idleInTransactionSeconds * 1000,
    }),
  }
}
