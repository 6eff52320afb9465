import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uuidv7 } from '../../src/kernel/base/index.ts'
import { loadConfig } from '../../src/kernel/config/index.ts'
import { collectMigrations, migrate } from '../../src/kernel/db/index.ts'
import { openLedger, type Ledger, type LedgerEvent, type LedgerLog, type LedgerOptions } from '../../src/kernel/ledger/index.ts'
import { createInstance, openVault, type OpenedVault, type OwnerKey } from '../../src/kernel/vault/index.ts'
import { asSuperuser, createTestDatabase, type TestDatabase } from './postgres.ts'

export interface Instance {
  vault: OpenedVault
  home: string
  close(): Promise<void>
}

/** A vault of keys of its own, in a folder that goes with it. */
export async function createTestInstance(): Promise<Instance> {
  const home = mkdtempSync(join(tmpdir(), 'sealbook-ledger-'))
  const config = loadConfig({ SEALBOOK_HOME: home, SEALBOOK_ROOT_KEY_FILE: join(home, 'root.key'), SEALBOOK_LOG_LEVEL: 'silent' })
  await createInstance(config)
  const vault = await openVault(config)
  return {
    vault,
    home,
    close: async () => {
      await vault.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

export const silent: LedgerLog = { info: () => {}, warn: () => {}, error: () => {} }

/** A database with a ledger in it, its people, and the superuser who attacks it. */
export class LedgerLab {
  readonly database: TestDatabase
  readonly vault: OpenedVault
  readonly actor: OwnerKey
  readonly subject: OwnerKey
  readonly nodeId = uuidv7()
  readonly objectId = uuidv7()
  readonly #ledgers: Ledger[] = []

  private constructor(database: TestDatabase, vault: OpenedVault, keys: OwnerKey[]) {
    this.database = database
    this.vault = vault
    this.actor = keys[0]!
    this.subject = keys[1]!
  }

  static async create(instance: Instance): Promise<LedgerLab> {
    const keys = await instance.vault.createOwnerKeys([uuidv7(), uuidv7()])
    // The ledger's own tables only: a test of the kernel must not stand or fall with the modules.
    const database = await createTestDatabase({ empty: true })
    await migrate(database.adminConfig, await collectMigrations(join(import.meta.dirname, '..', '..', 'src', 'kernel', 'ledger')), database.appRole)
    return new LedgerLab(database, instance.vault, keys)
  }

  /** Opens the ledger as one node; the first one here leads. Resolves once it does. */
  async open(options: Partial<LedgerOptions> = {}): Promise<Ledger> {
    const ledger = await openLedger({ db: this.database.db, vault: this.vault, nodeId: this.nodeId, log: silent, ...options })
    this.#ledgers.push(ledger)
    return ledger
  }

  /** Events like those of a working day: reads, a change with a detail, a list. */
  event(i: number): LedgerEvent {
    const { actor, subject, objectId } = this
    const object = { kind: 'contact', id: objectId }
    if (i % 3 === 1) return { action: 'contact.updated', actor, object, subjects: [subject], detail: { changed: ['fullName'], note: `private ${i}` } }
    if (i % 3 === 2) return { action: 'contact.listed', actor, subjects: [subject, actor], purpose: 'list' }
    return { action: 'contact.read', actor, object, subjects: [subject], purpose: 'view' }
  }

  /** Appends `count` events and resolves when they are sequenced and signed. */
  async fill(ledger: Ledger, count: number): Promise<string> {
    await Promise.all(Array.from({ length: count }, (_, i) => ledger.append(this.event(i))))
    return ledger.checkpoint()
  }

  /** SQL as a superuser with triggers switched off, the way somebody with the database's files in hand would. */
  async tamper(...statements: string[]): Promise<void> {
    await asSuperuser(this.database, `SET session_replication_role = replica; ${statements.join('; ')}`)
  }

  async rows<R extends object>(text: string): Promise<R[]> {
    return asSuperuser<R>(this.database, text)
  }

  async close(): Promise<void> {
    await Promise.all(this.#ledgers.map((l) => l.close()))
    await this.database.drop()
  }
}

export async function until(condition: () => boolean | Promise<boolean>, seconds = 20): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('it did not come to be in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
