import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { uuidv7 } from '../base/index.ts'
import { type configIn, vaultIn } from './fixture.ts'
import { keyPosture } from './posture.ts'

describe('posture', () => {
  const codes = (config: ReturnType<typeof configIn>, custodians: string[]): string[] => keyPosture(config, uuidv7(), custodians).map((f) => f.code).filter((c) => c !== 'swap-on')

  it('says red for a key on the disk it protects, readable by others, or gone', async () => {
    const { config } = await vaultIn()
    expect(codes(config, ['key-file'])).toEqual(['key-file-same-device', 'recovery-kit-none'])
    chmodSync(config.rootKeyFile!, 0o640)
    expect(codes(config, ['key-file', 'recovery-kit'])).toEqual(['key-file-same-device', 'key-file-readable'])
    rmSync(config.rootKeyFile!)
    expect(codes(config, ['key-file', 'recovery-kit'])).toEqual(['key-file-missing'])
  })

  it('says red for a passphrase that lies beside what it protects', async () => {
    const { config } = await vaultIn()
    const file = join(dirname(config.home), 'words')
    writeFileSync(file, 'x', { mode: 0o644 })
    const here = { ...config, passphraseFile: file }
    expect(codes(here, ['passphrase', 'recovery-kit'])).toEqual(['passphrase-same-device', 'passphrase-readable'])
    rmSync(file)
    expect(codes(here, ['passphrase', 'recovery-kit'])).toEqual([])
  })
})
