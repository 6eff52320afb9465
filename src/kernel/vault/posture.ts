import { existsSync, readFileSync, statSync } from 'node:fs'
import { rootKeyPath, type Config } from '../config/index.ts'

/** One line of `doctor`, `keys status` and the status page. */
export interface Finding {
  code: string
  level: 'red' | 'amber' | 'info'
  what: string
  fix: string
}

/** What the place of the keys is worth against a thief of the whole disk. */
export function keyPosture(config: Config, instanceId: string, custodians: readonly string[]): Finding[] {
  const findings: Finding[] = []
  if (custodians.includes('key-file')) {
    const path = rootKeyPath(config, instanceId)
    if (!existsSync(path)) {
      findings.push({ code: 'key-file-missing', level: 'red', what: `The key file ${path} is gone; the next start will fail.`, fix: 'Put it back, or run `sealbook keys recover` with the printed kit.' })
    } else if (statSync(path).dev === statSync(config.home).dev) {
      findings.push({ code: 'key-file-same-device', level: 'red', what: 'The root key file lies on the same device as the data: whoever takes this disk reads everything.', fix: 'Move the key file to another device and set SEALBOOK_ROOT_KEY_FILE, or use the passphrase custodian.' })
    }
    if (existsSync(path) && (statSync(path).mode & 0o077) !== 0) {
      findings.push({ code: 'key-file-readable', level: 'red', what: 'Other users of this machine may read the root key file.', fix: `chmod 600 ${path}` })
    }
  }
  if (custodians.includes('passphrase') && config.passphraseFile) findings.push(...passphrasePosture(config, config.passphraseFile))
  if (!custodians.includes('recovery-kit')) {
    findings.push({ code: 'recovery-kit-none', level: 'amber', what: 'There is no recovery kit: losing the root key loses everything.', fix: 'Make one with `sealbook keys kit --out FILE`, print it, keep it in a safe.' })
  }
  if (swapInUse()) {
    findings.push({ code: 'swap-on', level: 'amber', what: 'Swap is on: memory of the running server may reach the disk.', fix: 'Turn swap off or encrypt it.' })
  }
  return findings
}

function passphrasePosture(config: Config, path: string): Finding[] {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isFile()) return [] // a pipe, or taken away after the start: the best place for it
  const findings: Finding[] = []
  if (stat.dev === statSync(config.home).dev) {
    findings.push({ code: 'passphrase-same-device', level: 'red', what: 'The passphrase file lies on the same device as the data: whoever takes this disk reads everything.', fix: 'Keep it on another device or in memory (tmpfs), and set SEALBOOK_PASSPHRASE_FILE.' })
  }
  if ((stat.mode & 0o077) !== 0) {
    findings.push({ code: 'passphrase-readable', level: 'red', what: 'Other users of this machine may read the passphrase file.', fix: `chmod 600 ${path}` })
  }
  return findings
}

function swapInUse(): boolean {
  try {
    return readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1
  } catch {
    return false // not Linux: the operating system encrypts its swap or tells its own administrator
  }
}
