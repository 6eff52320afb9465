// Run by hostile.test.ts as another user: does one thing with a vault and prints how it ended.
import { loadConfig } from '../config/index.ts'
import { uuidv7 } from '../base/index.ts'
import { createInstance, openVault, recoverInstance } from './instance.ts'
import { openSealedFile, createSealedFile } from './sealed-file.ts'
import { pipeline } from 'node:stream/promises'
import { join } from 'node:path'

const [action, home, rootKeyFile] = process.argv.slice(2)
const config = loadConfig({ SEALBOOK_HOME: home, SEALBOOK_ROOT_KEY_FILE: rootKeyFile, SEALBOOK_LOG_LEVEL: 'silent' })

const actions: Record<string, () => Promise<unknown>> = {
  create: () => createInstance(config),
  open: async () => (await openVault(config)).close(),
  write: async () => {
    const vault = await openVault(config)
    try {
      await vault.createOwnerKeys([uuidv7()])
    } finally {
      await vault.close()
    }
  },
  recover: async () => {
    const vault = await openVault(config)
    const kit = await vault.makeRecoveryKit()
    await vault.close()
    await recoverInstance({ ...config, rootKeyFile: `${config.rootKeyFile}.new` }, kit)
  },
  file: async () => {
    const vault = await openVault(config)
    const path = join(config.home, 'staging', 'x.sealed')
    await pipeline([Buffer.from('text')], createSealedFile(vault, path, 'x'))
    await (await openSealedFile(vault, path, 'x')).close()
    await vault.close()
  },
}

try {
  await actions[action!]!()
  process.stdout.write('done')
} catch (error) {
  process.stdout.write(String((error as { code?: unknown }).code ?? error))
}
