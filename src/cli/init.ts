import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../kernel/config/index.ts'
import type { Instance } from '../instance.ts'
import type { Ledger } from '../kernel/ledger/index.ts'
import type { OpenedVault } from '../kernel/vault/index.ts'
import type { IdentityDeps, SetUpWords } from '../modules/identity/index.ts'
import { Problem, Refusal } from '../kernel/base/index.ts'
import { checkWritable, firstLine } from './files.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Made {
  organisationId: string
  ownerId: string
  token: string
  tokenExpiresAt: string
  ledgerKey: string
}

/** What was asked, checked as far as it can be without a home. */
interface Asked {
  words: SetUpWords
  kit: string
  token: string | undefined
}

async function askedFor(terminal: Terminal, given: Given): Promise<Asked> {
  const { checkSetUpWords } = await import('../modules/identity/index.ts')
  const asked: Asked = { words: await wordsOf(terminal, given), kit: given.text('recovery-kit'), token: given.maybe('token-file') }
  await checkWritable(terminal, '--recovery-kit', asked.kit, { fresh: true })
  if (asked.token) await checkWritable(terminal, '--token-file', asked.token, { fresh: true })
  checkSetUpWords(asked.words)
  return asked
}

async function wordsOf(terminal: Terminal, given: Given): Promise<SetUpWords> {
  const chinese = terminal.locale === 'zh-CN'
  return {
    organisation: given.text('organisation'),
    ownerEmail: given.text('owner-email'),
    ownerPassword: await firstLine(terminal, '--owner-password-file', given.text('owner-password-file')),
    locale: given.maybe('locale') === 'zh-CN' || (given.maybe('locale') === undefined && chinese) ? 'zh-CN' : 'en',
    country: given.maybe('country') ?? 'CN',
  }
}

/** The words of the set-up are the person's own flags here, so what is wrong with them is a usage error. */
function asUsage(terminal: Terminal, error: unknown): unknown {
  if (!(error instanceof Problem)) return error
  if (error.code === 'already-set-up') {
    return new Refusal('already-set-up', terminal.say('This home has an owner already; sign in instead. Nothing was changed.', '此目录已完成初始化，请直接登录。未作任何更改。'), 4, error)
  }
  if (error.code !== 'invalid') return error
  const faults = (error.errors ?? []).map((e) => `--${e.path.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} (${e.code})`).join(', ')
  return new Refusal('invalid', terminal.say(`Correct ${faults}; nothing was changed.`, `请修正 ${faults}；未作任何更改。`), 2, error)
}

/** Writes the kit, reads it back and tries it: a kit that does not open is worse than none. */
async function writeKit(terminal: Terminal, vault: OpenedVault, path: string): Promise<void> {
  const { writeSecretFile } = await import('../kernel/vault/index.ts')
  writeSecretFile(path, await vault.makeRecoveryKit())
  if (vault.verifyRecoveryKit(await readFile(path, 'utf8'))) return
  throw new Refusal('recovery-kit-unreadable', terminal.say(`The kit at ${path} does not read back as it was written: use another disk.`, `${path} 的恢复套件读回不一致：请更换磁盘。`), 1)
}

async function depsOf(instance: Instance, ledger: Ledger): Promise<IdentityDeps> {
  const [{ BUILT_IN_ROLES, roleRegistry }, { ENTITIES }] = await Promise.all([import('../modules/access/index.ts'), import('../app.ts')])
  return { db: instance.db, vault: instance.vault, ledger, registry: roleRegistry(BUILT_IN_ROLES, ENTITIES) }
}

/**
 * The set-up's own commit comes last: whatever fails before it leaves an instance without owner, which the next `init` takes
 * up, and the files written for this one are taken away again.
 */
async function setUpWithin(terminal: Terminal, instance: Instance, ledger: Ledger, asked: Asked): Promise<Made> {
  const [{ isSetUp, setUp }, { writeSecretFile }] = await Promise.all([import('../modules/identity/index.ts'), import('../kernel/vault/index.ts')])
  const written: string[] = []
  try {
    terminal.progress('Writing the recovery kit', '正在写入恢复套件')
    await writeKit(terminal, instance.vault, asked.kit)
    written.push(asked.kit)
    const made = await setUp(await depsOf(instance, ledger), asked.words)
    if (asked.token) writeSecretFile(asked.token, `${made.token}\n`)
    await ledger.checkpoint()
    return { ...made, ledgerKey: ledger.verifierKey() }
  } catch (error) {
    if (!(await isSetUp(instance.db).catch(() => true))) for (const path of written) await rm(path, { force: true })
    throw error
  }
}

async function initialise(terminal: Terminal, config: Config, asking: () => Promise<Asked>): Promise<Made & { instanceId: string; asked: Asked }> {
  const [{ openInstance }, { openLedger }, { openLog }, { hasInstance }, { isSetUp }] = await Promise.all([
    import('../instance.ts'),
    import('../kernel/ledger/index.ts'),
    import('../kernel/log/index.ts'),
    import('../kernel/vault/index.ts'),
    import('../modules/identity/index.ts'),
  ])
  // A new home is not even made for words that are wrong; of a home that has its owner, that alone is told.
  const early = hasInstance(config) ? null : await asking()
  const instance = await openInstance(config, () => openLog(config, { quiet: true }), terminal.progress)
  const { log } = instance
  try {
    if (await isSetUp(instance.db)) throw new Problem('already-set-up')
    const asked = early ?? (await asking())
    const ledger = await openLedger({ db: instance.db, vault: instance.vault, nodeId: instance.nodeId, log, anchorFile: join(config.home, 'keys', 'ledger-anchor') })
    try {
      return { instanceId: instance.vault.instanceId, asked, ...(await setUpWithin(terminal, instance, ledger, asked)) }
    } finally {
      await ledger.close()
    }
  } finally {
    await instance.close()
  }
}

async function run(terminal: Terminal, given: Given): Promise<Outcome> {
  const { loadConfig } = await import('../kernel/config/index.ts')
  const custodian = given.maybe('custodian')
  const config = loadConfig({ ...terminal.env, ...(custodian ? { SEALBOOK_CUSTODIAN: custodian } : {}) })
  try {
    const { instanceId, organisationId, ownerId, token, tokenExpiresAt, ledgerKey, asked } = await initialise(terminal, config, () => askedFor(terminal, given))
    const document = { instanceId, organisationId, ownerId, token, tokenExpiresAt, ledgerKey, recoveryKitFile: asked.kit }
    return { document, text: farewell(terminal, document, asked.token) }
  } catch (error) {
    throw asUsage(terminal, error)
  }
}

function farewell(terminal: Terminal, made: Made & { recoveryKitFile: string }, tokenFile: string | undefined): string {
  const { say } = terminal
  return [
    say('The instance is made. Start it with `npm start`.', '实例已创建。请运行 `npm start` 启动。'),
    say(`  Recovery kit:  ${made.recoveryKitFile}  (print it, keep it in a safe, delete the file)`, `  恢复套件：${made.recoveryKitFile}（请打印后存入保险柜，并删除该文件）`),
    tokenFile ? say(`  Owner's token: in ${tokenFile} until ${made.tokenExpiresAt}; use it with SEALBOOK_TOKEN_FILE`, `  所有者令牌：已写入 ${tokenFile}，有效至 ${made.tokenExpiresAt}；通过 SEALBOOK_TOKEN_FILE 使用`) : say(`  Owner's token: ${made.token}  (shown this once, until ${made.tokenExpiresAt})`, `  所有者令牌：${made.token}（只显示一次，有效至 ${made.tokenExpiresAt}）`),
    say(`  Ledger key:    ${made.ledgerKey}  (note it: it verifies the ledger later)`, `  账本公钥：${made.ledgerKey}（请记下，日后用于校验账本）`),
  ].join('\n')
}

export const verbs: readonly Verb[] = [
  {
    name: 'init',
    says: ['make an instance with its owner, without a server', '创建实例及其所有者，无需服务器'],
    flags: {
      organisation: { value: 'S', required: true, says: ['name of the organisation', '组织名称'] },
      'owner-email': { value: 'E', required: true, says: ['e-mail address the owner signs in with', '所有者登录邮箱'] },
      'owner-password-file': { value: 'F', required: true, says: ['file whose first line is the owner\'s password', '首行为所有者密码的文件'] },
      locale: { oneOf: ['zh-CN', 'en'], says: ['language of the instance', '语言'] },
      country: { value: 'CN', says: ['country of phone numbers written without one', '未带国家码的电话所属国家'] },
      custodian: { oneOf: ['key-file', 'passphrase'], says: ['who holds the root key', '根密钥保管方式'] },
      'recovery-kit': { value: 'F', required: true, says: ['where to write the recovery kit (0600)', '恢复套件输出文件（0600）'] },
      'token-file': { value: 'F', says: ['where to write the owner\'s token (0600), for SEALBOOK_TOKEN_FILE', '所有者令牌输出文件（0600），供 SEALBOOK_TOKEN_FILE 使用'] },
    },
    run,
  },
]
