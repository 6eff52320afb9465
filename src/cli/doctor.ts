import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '../kernel/db/index.ts'
import type { Config } from '../kernel/config/index.ts'
import type { Ledger } from '../kernel/ledger/index.ts'
import type { Log } from '../kernel/log/index.ts'
import type { Finding, OpenedVault } from '../kernel/vault/index.ts'
import { openHome, Problem, readServerJson, Refusal, uuidv7, type Home } from '../kernel/base/index.ts'
import { openClient } from './client.ts'
import { findingLines } from './findings.ts'
import { ServerRefusal } from './output.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Opened {
  vault: OpenedVault | null
  db: Db | null
  ledger: Ledger | null
  /** Why a part is missing. */
  findings: Finding[]
  close(): Promise<void>
}

/** Opens one part; a refusal met on the way is what doctor was asked for. */
async function part<T>(findings: Finding[], open: () => Promise<T>): Promise<T | null> {
  try {
    return await open()
  } catch (error) {
    const { findingOf } = await import('../modules/doctor/index.ts')
    if (error instanceof Refusal) findings.push(findingOf(error))
    else if (error instanceof Problem) findings.push({ code: error.code, level: 'red', what: 'The database or the ledger could not be opened.', fix: error.toJSON('', 'en')['detail'] as string })
    else throw error
    return null
  }
}

/** The same database as the server's, but never made and never migrated: doctor changes nothing. */
async function openDatabase(config: Config, log: Log, undo: (() => Promise<void>)[]): Promise<Db> {
  const { externalDatabase, openDb, startEmbedded } = await import('../kernel/db/index.ts')
  if (config.databaseUrl && config.databaseAdminUrl) {
    const { app } = await externalDatabase(config.databaseUrl, config.databaseAdminUrl)
    return openDb(app, { max: 4, log })
  }
  const server = await startEmbedded({ home: config.home, log, create: false })
  undo.push(() => server.stop())
  return openDb(server.appConfig, { max: 4, log })
}

async function openParts(config: Config): Promise<Opened> {
  const findings: Finding[] = []
  const undo: (() => Promise<void>)[] = []
  const [{ openVault }, { openLog }, { openLedger }] = await Promise.all([import('../kernel/vault/index.ts'), import('../kernel/log/index.ts'), import('../kernel/ledger/index.ts')])
  const log = openLog(config, { quiet: true })
  const vault = await part(findings, () => openVault(config))
  if (vault) undo.push(() => vault.close())
  const db = await part(findings, () => openDatabase(config, log, undo))
  if (db) undo.push(() => db.close())
  const ledger = vault && db ? await part(findings, () => openLedger({ db, vault, nodeId: uuidv7(), log, sequence: false })) : null
  if (ledger) undo.push(() => ledger.close())
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  return { vault, db, ledger, findings, close }
}

/** Examines a home that no server uses. The outside comes first: opening a home tightens its modes. */
async function examineHere(config: Config, deep: boolean): Promise<Finding[]> {
  const { examineInside } = await import('../modules/doctor/index.ts')
  const { collectMigrations } = await import('../kernel/db/index.ts')
  const { describeApp } = await import('../app.ts')
  const parts = await openParts(config)
  try {
    const patient = { config, vault: parts.vault, sql: parts.db, ledger: parts.ledger, entities: describeApp().entities, migrations: await collectMigrations(`${import.meta.dirname}/..`) }
    const inside = await part(parts.findings, () => examineInside(patient, { deep }))
    return [...parts.findings, ...(inside ?? [])]
  } finally {
    await parts.close()
  }
}

/** The running server holds the lock, so it alone may look inside; without a token only the outside is told. */
async function askServer(terminal: Terminal, deep: boolean): Promise<Finding[] | null> {
  try {
    const client = openClient(terminal)
    try {
      return (await client.json<{ findings: Finding[] }>('POST', '/doctor', { body: { deep } })).findings
    } finally {
      client.close()
    }
  } catch (error) {
    if (error instanceof Refusal || (error instanceof ServerRefusal && error.exitCode === 3)) return null
    throw error
  }
}

/** Adds what the running server shows to somebody who connects; what its own files say of it is told already. */
async function withServed(home: string, findings: readonly Finding[]): Promise<Finding[]> {
  const server = readServerJson(home)
  if (!server) return [...findings]
  const { checkServed } = await import('../kernel/tls/index.ts')
  const told = new Set(findings.map((f) => f.code))
  return [...findings, ...(await checkServed({ home, url: server.url })).filter((f) => !told.has(f.code))]
}

/**
 * The place of the key file, as far as it shows from outside: the key store belongs to the running server, but its signed head
 * in the home names the instance, and with it the key file.
 */
async function postureOutside(config: Config): Promise<Finding[]> {
  const [{ keyPosture }, { rootKeyPath }] = await Promise.all([import('../kernel/vault/index.ts'), import('../kernel/config/index.ts')])
  const head = await readFile(join(config.home, 'keys', 'ledger-anchor'), 'utf8').catch(() => '')
  const instanceId = /^sealbook\.local\/(\S+)$/m.exec(head)?.[1]
  if (instanceId === undefined || !existsSync(rootKeyPath(config, instanceId))) return []
  return keyPosture(config, instanceId, ['key-file', 'recovery-kit'])
}

/** Takes the home's lock; null when that was refused, which is a finding. */
function lock(findings: Finding[], home: string): Promise<Home | 'in-use' | null> {
  return part(findings, async () => {
    try {
      return openHome(home)
    } catch (error) {
      if (error instanceof Refusal && error.code === 'home-in-use') return 'in-use' as const
      throw error
    }
  })
}

async function findingsOf(terminal: Terminal, config: Config, deep: boolean): Promise<Finding[]> {
  const [{ examineOutside }, { hasInstance, hasLostKeys }] = await Promise.all([import('../modules/doctor/index.ts'), import('../kernel/vault/index.ts')])
  const absent: Finding = { code: 'instance-none', level: 'info', what: `There is no instance in ${config.home} yet.`, fix: 'Make one with `npm start` or `sealbook init`.' }
  if (!existsSync(config.home)) return [absent]
  const outside = examineOutside(config)
  if (!hasInstance(config) && !hasLostKeys(config)) return [...outside, absent]
  const home = await lock(outside, config.home)
  if (home === null) return outside
  if (home === 'in-use') {
    const unasked: Finding = { code: 'server-running', level: 'info', what: 'The server is running and was not asked: key store, database and ledger were left out.', fix: 'Set SEALBOOK_TOKEN_FILE to an administrator\'s token, or stop the server and run doctor again.' }
    return withServed(config.home, (await askServer(terminal, deep)) ?? [...outside, ...(await postureOutside(config)), unasked])
  }
  try {
    return [...outside, ...(await examineHere(config, deep))]
  } finally {
    home.release()
  }
}

async function run(terminal: Terminal, given: Given): Promise<Outcome> {
  const { loadConfig } = await import('../kernel/config/index.ts')
  const findings = await findingsOf(terminal, loadConfig(terminal.env), given.has('deep'))
  const red = findings.filter((f) => f.level === 'red').length
  const document = { ok: red === 0, findings }
  const text = findings.length === 0 ? terminal.say('Nothing to say: all is well.', '一切正常。') : findingLines(terminal, findings).join('\n')
  if (red === 0) return { document, text }
  return { document, text, findings: { exitCode: 1, code: 'findings-red', says: terminal.say(red === 1 ? 'One finding is red: do what it says.' : `${red} findings are red: do what each says.`, `有 ${red} 项红色问题：请逐项处理。`) } }
}

export const verbs: readonly Verb[] = [
  {
    name: 'doctor',
    says: ['examine machine, home, keys, database and ledger; changes nothing', '检查机器、数据目录、密钥、数据库与账本；不作任何更改'],
    flags: { deep: { says: ['also open every row and compare it with the ledger', '同时打开每一行并与账本比对'] } },
    run,
  },
]
