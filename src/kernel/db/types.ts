/** Anything a statement can run on: the pool (one statement, autocommit) or one transaction. Parameters are always bound, never spliced. */
export interface Sql {
  /** Runs one statement; rows as plain objects. `bytea` comes back as Buffer, `timestamptz` as ISO 8601 UTC text, `uuid` as text, `int8` as number. */
  query<R extends object = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<R[]>
  /**
   * The same as a prepared statement of the connection, which saves PostgreSQL parsing and planning it again. Only for
   * statements whose best plan does not depend on the values: look-ups by key and inserts. One text must have one plan for ever.
   */
  prepared<R extends object = Record<string, unknown>>(text: string, params: readonly unknown[]): Promise<R[]>
}

/** An open transaction. It ends when the callback given to `Db.tx` settles. */
export interface Tx extends Sql {
  readonly open: boolean
  /**
   * Sends a prepared statement and does not wait for it; it travels with those that follow, COMMIT too. For writes whose answer decides nothing: what
   * must not be committed has to be an SQL error. Such an error fails the transaction, whatever `fn` made of it; `failed` says as what.
   */
  send(text: string, params: readonly unknown[], failed?: (error: unknown) => unknown): void
}

export interface Db extends Sql {
  /** Runs `fn` in one READ COMMITTED transaction; commits when it resolves, rolls back when it rejects. Throws Problem database-unavailable when no connection can be had. */
  tx<T>(fn: (tx: Tx) => Promise<T>): Promise<T>
  /** A dedicated connection outside the pool (group committer, sequencer, job runner). The caller ends it. */
  connect(name: string): Promise<DedicatedConnection>
  /** The connection string's parts for a library that brings its own pool (pg-boss). */
  readonly connectionOptions: Record<string, unknown>
  close(): Promise<void>
}

export interface DedicatedConnection extends Sql {
  end(): Promise<void>
  /** Resolves once, when the server closes the connection or the socket breaks. */
  readonly lost: Promise<void>
}
