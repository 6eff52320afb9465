// Run by keystore.test.ts and killed: makes and destroys owner keys as fast as it can, and prints each id once it is acknowledged (`~` before it asks to destroy one).
import { writeSync } from 'node:fs'
import { uuidv7 } from '../base/index.ts'
import { loadConfig } from '../config/index.ts'
import { openVault } from './instance.ts'

const [home, rootKeyFile] = process.argv.slice(2)
const vault = await openVault(loadConfig({ SEALBOOK_HOME: home, SEALBOOK_ROOT_KEY_FILE: rootKeyFile, SEALBOOK_LOG_LEVEL: 'silent' }))

async function work(destroys: boolean): Promise<void> {
  for (;;) {
    const keys = await vault.createOwnerKeys(Array.from({ length: 10 }, () => uuidv7()))
    writeSync(1, keys.map((k) => `+${k.ownerId}\n`).join(''))
    if (!destroys) continue
    writeSync(1, `~${keys[0]!.ownerId}\n`)
    await vault.destroyOwnerKey(keys[0]!.ownerId)
    writeSync(1, `-${keys[0]!.ownerId}\n`)
  }
}

await Promise.all([work(false), work(false), work(true)])
