import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '../../kernel/base/index.ts'
import type { OpenedVault } from '../../kernel/vault/index.ts'

/**
 * Writes a new kit into HOME/run/<file>. **The kit never leaves over HTTP**: whoever holds it and a copy of the key store reads
 * everything, so a stolen administrator token must not be enough. The file must already be there, empty and the server user's own:
 * only someone who can act as that user on this machine can have put it there. Throws Problem kit-file-missing, key-unavailable.
 */
export async function writeKit(vault: Pick<OpenedVault, 'makeRecoveryKit' | 'verifyRecoveryKit'>, home: string, file: string): Promise<void> {
  const path = join(home, 'run', file)
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw new Problem('kit-file-missing', { cause: error })
  })
  try {
    const stat = await handle.stat()
    const mine = process.getuid === undefined || stat.uid === process.getuid()
    if (!stat.isFile() || stat.size !== 0 || !mine || (stat.mode & 0o077) !== 0) throw new Problem('kit-file-missing')
    const text = await vault.makeRecoveryKit()
    await handle.writeFile(text)
    await handle.sync()
    const back = Buffer.alloc(Buffer.byteLength(text))
    await handle.read(back, 0, back.length, 0)
    if (!vault.verifyRecoveryKit(back.toString())) throw new Error('the kit does not read back as it was written')
  } finally {
    await handle.close()
  }
}
