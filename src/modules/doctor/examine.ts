import { Refusal } from '../../kernel/base/index.ts'
import type { Config } from '../../kernel/config/index.ts'
import type { Sql } from '../../kernel/db/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Ledger } from '../../kernel/ledger/index.ts'
import { keyPosture, type Finding, type Vault } from '../../kernel/vault/index.ts'
import { checkCertificate } from './certificate.ts'
import { checkDatabase, checkSchema } from './database.ts'
import { checkHome } from './home.ts'
import { checkMachine } from './machine.ts'
import { checkRows, ledgerEdge } from './rows.ts'

/** What can be examined; a part that could not be opened is null, and why is a finding already. */
export interface Patient {
  config: Config
  vault: Vault | null
  sql: Sql | null
  migrations: readonly { name: string }[]
  ledger: Ledger | null
  entities: readonly Entity[]
}

/** Leaves up to which the whole ledger is verified even without --deep: some seconds. */
const QUICK_LEAVES = 200_000

/** What can be seen without opening anything: machine, home, certificate. */
export function examineOutside(config: Config): Finding[] {
  return [...checkMachine(config.home), ...checkHome(config.home), ...checkCertificate(config.home, config.origin)]
}

/** What can be seen once it is open: keys, database, ledger and, with `deep`, every row. */
export async function examineInside(patient: Patient, options: { deep: boolean }): Promise<Finding[]> {
  const { config, vault, sql, ledger } = patient
  const findings: Finding[] = []
  if (vault) findings.push(...keyPosture(config, vault.instanceId, vault.status().custodians))
  if (sql) findings.push(...(await checkDatabase(sql, config.databaseUrl === null)), ...(await checkSchema(sql, patient.migrations)))
  if (ledger && sql) findings.push(...(await checkLedger(ledger, sql, options.deep)))
  if (options.deep && sql && vault && ledger) findings.push(...(await checkRows({ sql, vault, ledger, entities: patient.entities })))
  return findings
}

/** A refusal met while opening is itself what doctor was asked for. */
export function findingOf(refusal: Refusal): Finding {
  // Refusals read "what is wrong: what to do"; the first colon parts the two.
  const at = refusal.message.indexOf(': ')
  if (at < 0) return { code: refusal.code, level: 'red', what: refusal.message, fix: 'See the runbooks.' }
  const fix = refusal.message.slice(at + 2)
  return { code: refusal.code, level: 'red', what: `${refusal.message.slice(0, at)}.`, fix: fix.charAt(0).toUpperCase() + fix.slice(1) }
}

async function checkLedger(ledger: Ledger, sql: Sql, deep: boolean): Promise<Finding[]> {
  const { alarm } = ledger.status()
  const { size, checkpointAt } = await ledgerEdge(sql)
  const findings: Finding[] = []
  if (alarm) findings.push({ code: 'ledger-alarm', level: 'red', what: `The running ledger raised ${alarm}.`, fix: 'Keep a copy of this home as evidence and run `sealbook ledger verify`.' })
  if (checkpointAt && Date.parse(checkpointAt) > Date.now() + 60_000) {
    findings.push({ code: 'clock-behind', level: 'red', what: 'The last checkpoint was signed in the future of this clock.', fix: 'Set the clock and keep it by NTP.' })
  }
  if (!deep && size > QUICK_LEAVES) {
    findings.push({ code: 'ledger-not-verified', level: 'info', what: `The ${size} leaves of the ledger were not recomputed.`, fix: 'Run `sealbook doctor --deep` or `sealbook ledger verify`.' })
    return findings
  }
  const report = await ledger.verify({ deep })
  if (!report.ok) {
    const codes = [...new Set(report.failures.map((f) => f.code))].join(', ')
    findings.push({ code: 'ledger-broken', level: 'red', what: `The ledger does not hold: ${report.failureCount} failures (${codes}).`, fix: 'Keep a copy of this home as evidence; compare with the last anchored checkpoint.' })
  }
  return findings
}
