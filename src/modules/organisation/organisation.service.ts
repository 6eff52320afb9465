import { Problem, Refusal } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Ledger } from '../../kernel/ledger/types.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { createAuthority, type Authority } from '../access/index.ts'
import type { OrganisationPatch } from './organisation.contract.ts'
import { loadOrganisation, saveOrganisation, type OrganisationFacts } from './organisation.store.ts'
import { dayIn, defaultSettings, type OrganisationSettings } from './settings.ts'

export type { OrganisationFacts } from './organisation.store.ts'

const UPDATED = 'organisation.updated'

export interface OrganisationDeps {
  sql: Sql
  vault: Vault
  ledger: Ledger
}

/** The organisation, opened once and kept: every day, month and sum is counted by its settings. */
export class Organisation {
  readonly #deps: OrganisationDeps
  readonly #authority: Authority
  #facts: OrganisationFacts | null = null

  constructor(deps: OrganisationDeps) {
    this.#deps = deps
    this.#authority = createAuthority(deps)
  }

  get #signing(): { vault: Vault; authority: Authority } {
    return { vault: this.#deps.vault, authority: this.#authority }
  }

  /** For a start: nothing is served by settings that somebody put back. Throws Refusal organisation-tampered. */
  async open(): Promise<void> {
    await this.load().catch((error: unknown) => {
      throw error instanceof Problem && error.code === 'seal-broken' ? tampered(error) : error
    })
  }

  /** Reads it anew. Throws Problem seal-broken, and writes it down, when the row was put back as it was before a change, or is not ours. */
  async load(): Promise<void> {
    const first = await loadOrganisation(this.#deps.sql, this.#signing)
    // Events before the row: a change that comes between the two only makes the row newer.
    const changes = first ? await this.#deps.ledger.happened([first.id], [UPDATED]) : []
    const facts = changes.length > 0 ? await loadOrganisation(this.#deps.sql, this.#signing) : first
    if (first && changes.length > 0 && (facts?.version ?? 0) - 1 < changes.length) this.#authority.tampered('organisation', first.id)
    this.#facts = facts
  }

  /** The defaults before set-up. */
  get settings(): OrganisationSettings {
    return this.#facts ?? defaultSettings('US', 'en')
  }

  /** The day of an instant where the organisation is, `YYYY-MM-DD`. */
  day(at: Date): string {
    return dayIn(this.settings.timeZone, at)
  }

  /** Throws Problem not-found before set-up, where nobody can be signed in. */
  get facts(): OrganisationFacts {
    if (!this.#facts) throw new Problem('not-found')
    return this.#facts
  }

  async change(desk: Desk, version: number, patch: OrganisationPatch): Promise<OrganisationFacts> {
    await this.load()
    await desk.write(async (work) => {
      const before = await loadOrganisation(work.sql, this.#signing, true)
      if (!before) throw new Problem('not-found')
      if (before.version !== version) throw new Problem('version-stale', { extra: { version: before.version } })
      const given = Object.entries(patch).filter(([, value]) => value !== undefined)
      const next: OrganisationFacts = { ...before, ...Object.fromEntries(given), version: version + 1 }
      await saveOrganisation(work.sql, this.#signing, next)
      const key = work.vault.ownerKey(next.id)
      work.record({ action: UPDATED, object: { kind: 'organisation', id: next.id }, subjects: [key], detail: { version: next.version, fields: given.map(([name]) => name) } })
    })
    await this.load()
    return this.facts
  }
}

const tampered = (cause: unknown): Refusal => new Refusal('organisation-tampered', 'The settings of the organisation were changed in the database: put the table organisation back from a backup; nothing was served.', 4, cause)
