import { randomBytes } from 'node:crypto'
import { chown, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openClient } from './client.ts'
import { checkWritable, readNamed, writeWhole } from './files.ts'
import { findingLines } from './findings.ts'
import { table } from './list.ts'
import type { Finding } from '../kernel/vault/posture.ts'
import { Refusal } from '../kernel/base/index.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Status {
  custodian: string
  purposes: { purpose: string; epoch: number; createdAt: string }[]
  subjectKeys: number
  posture: Finding[]
}

async function status(terminal: Terminal): Promise<Outcome> {
  const client = openClient(terminal)
  try {
    const found = await client.json<Status>('GET', '/keys')
    const head = terminal.say(`Custodian: ${found.custodian}; keys of ${found.subjectKeys} owners.`, `根密钥保管方式：${found.custodian}；主体密钥 ${found.subjectKeys} 个。`)
    return { document: found, text: [head, table(found.purposes.map((p) => [`  ${p.purpose}`, String(p.epoch), p.createdAt])), ...findingLines(terminal, found.posture)].join('\n') }
  } finally {
    client.close()
  }
}

/**
 * The kit is handed over through the home, never over the network: this side puts an empty file there (which proves that it
 * stands on the server's machine), the server writes into it, and this side takes it away.
 */
async function kit(terminal: Terminal, given: Given): Promise<Outcome> {
  const out = given.text('out')
  await checkWritable(terminal, '--out', out, { fresh: true })
  const home = resolve(terminal.env['SEALBOOK_HOME'] || './data')
  const client = openClient(terminal)
  const file = `kit-${randomBytes(16).toString('hex')}`
  const handover = join(home, 'run', file)
  try {
    await prepare(terminal, home, handover)
    await client.json('POST', '/keys/kit', { body: { file } })
    await writeWhole(out, await readFile(handover))
    const says = terminal.say(`The kit is in ${out}; the one before opens nothing any more. Print it, keep it in a safe, delete the file.`, `恢复套件已写入 ${out}；旧套件随即失效。请打印后存入保险柜，并删除该文件。`)
    return { document: { recoveryKitFile: out }, text: says }
  } finally {
    client.close()
    await rm(handover, { force: true })
  }
}

async function prepare(terminal: Terminal, home: string, handover: string): Promise<void> {
  try {
    const owner = await stat(join(home, 'run'))
    await writeFile(handover, '', { flag: 'wx', mode: 0o600 })
    // Called by root for a server that runs as somebody else.
    if (process.getuid?.() === 0) await chown(handover, owner.uid, owner.gid)
  } catch (error) {
    throw new Refusal('home-unwritable', terminal.say("Run this on the server's own machine, as the user who runs it, with its SEALBOOK_HOME.", '请在服务器本机上，以运行服务器的用户及其 SEALBOOK_HOME 执行。'), 4, error)
  }
}

/** Opens the home itself: who needs it has no server that starts. */
async function recover(terminal: Terminal, given: Given): Promise<Outcome> {
  const text = (await readNamed(terminal, '--recovery-kit', given.text('recovery-kit'))).toString('utf8')
  const [{ loadConfig }, { hasInstance, recoverInstance }, { openHome }] = await Promise.all([import('../kernel/config/index.ts'), import('../kernel/vault/index.ts'), import('../kernel/base/index.ts')])
  const config = loadConfig(terminal.env)
  if (!hasInstance(config)) throw new Refusal('key-store-missing', terminal.say(`There is no key store in ${config.home}: put keys/keystore.sqlite back from its own backup; nothing was changed.`, `${config.home} 中没有密钥库：请从其备份恢复 keys/keystore.sqlite；未作任何更改。`), 4)
  const home = openHome(config.home)
  try {
    const recovered = await recoverInstance(config, text)
    return { document: recovered, text: terminal.say(`A new key file is at ${recovered.keyFile}; the lost one opens nothing any more. Start as usual.`, `新的密钥文件位于 ${recovered.keyFile}；丢失的密钥已失效。现在可以正常启动。`) }
  } finally {
    home.release()
  }
}

export const verbs: readonly Verb[] = [
  { name: 'keys status', says: ['who holds the root key, which keys there are, and what the place is worth', '查看根密钥保管方式、密钥清单与安全状况'], run: status },
  { name: 'keys kit', says: ['make a new recovery kit', '生成新的恢复套件'], flags: { out: { value: 'FILE', required: true, says: ['file to write (0600)', '输出文件（0600）'] } }, run: kit },
  {
    name: 'keys recover',
    says: ['open the instance with the printed kit and make a new key file', '用打印的恢复套件恢复实例并生成新密钥文件'],
    flags: { 'recovery-kit': { value: 'FILE', required: true, says: ['file that holds the kit or its code', '包含恢复套件或代码的文件'] } },
    run: recover,
  },
]
