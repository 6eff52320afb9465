import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest'
import { Problem } from '../base/index.ts'
import { codeOf, configIn, folder, ids, snapshot, storePath } from './fixture.ts'
import { createInstance, hasInstance, openVault, recoverInstance } from './instance.ts'
import { createSealedFile } from './sealed-file.ts'

const CHILD = new URL('./hostile-child.ts', import.meta.url).pathname
const NOBODY = 65_534
const root = process.getuid?.() === 0

/** What an action of hostile-child.ts ends in when nobody does it. */
function asNobody(action: string, config: ReturnType<typeof configIn>): string {
  const run = spawnSync(process.execPath, [CHILD, action, config.home, config.rootKeyFile!], { uid: NOBODY, gid: NOBODY, cwd: '/', encoding: 'utf8' })
  return run.stdout === '' ? `did not run: ${run.error?.message ?? run.stderr}` : run.stdout
}

/** Skips, with its reason, where another user cannot be or cannot read this checkout. */
function needsNobody(context: TestContext): void {
  context.skip(!root, 'only root can run a child as another user')
  const run = spawnSync(process.execPath, ['-e', `require('fs').readFileSync(${JSON.stringify(CHILD)})`], { uid: NOBODY, gid: NOBODY, cwd: '/' })
  context.skip(run.status !== 0, 'another user cannot read this checkout or run its Node')
}

/** A small file system of its own. Skips, with its reason, where none can be mounted. */
function small(context: TestContext, kib: number): string {
  context.skip(!root, 'only root can mount a small file system')
  const path = join(folder(), 'small')
  mkdirSync(path)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k,mode=700`, 'tmpfs', path])
  context.skip(mounted.status !== 0, `no tmpfs can be mounted here: ${String(mounted.stderr ?? mounted.error)}`)
  onTestFinished(() => void spawnSync('umount', ['-l', path]))
  return path
}

/** Takes all the room that is left but `spare` bytes. Removing the file gives it back. */
function fill(path: string, spare = 0, name = 'filler'): string {
  const file = join(path, name)
  const { bavail, bsize } = statfsSync(path)
  writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - spare)))
  return file
}

/** A home, and a folder outside it for the key file, that belong to nobody. */
function homeOfNobody(): ReturnType<typeof configIn> {
  const path = folder()
  chmodSync(path, 0o755)
  const config = configIn(path)
  for (const f of [config.home, dirname(config.rootKeyFile!)]) {
    mkdirSync(f, { mode: 0o700 })
    chownSync(f, NOBODY, NOBODY)
  }
  return config
}

describe('a user without privileges', () => {
  it('makes, opens, fills, recovers and stages like root', (context) => {
    needsNobody(context)
    const config = homeOfNobody()
    for (const action of ['create', 'open', 'write', 'recover', 'file']) {
      expect(asNobody(action, config), action).toBe('done')
      if (action === 'recover') rmSync(config.rootKeyFile!)
      if (action === 'recover') writeFileSync(config.rootKeyFile!, readFileSync(`${config.rootKeyFile!}.new`), { mode: 0o600 })
      if (action === 'recover') chownSync(config.rootKeyFile!, NOBODY, NOBODY)
    }
  })

  it('without the right to write the key file leaves nothing behind', (context) => {
    needsNobody(context)
    const config = homeOfNobody()
    chownSync(dirname(config.rootKeyFile!), 0, 0)
    chmodSync(dirname(config.rootKeyFile!), 0o755)
    expect(asNobody('create', config)).toBe('secret-not-written')
    expect([readdirSync(config.home), readdirSync(dirname(config.rootKeyFile!))]).toEqual([[], []])
  })

  it('without the right to write the home leaves no key file behind', (context) => {
    needsNobody(context)
    const config = homeOfNobody()
    chownSync(config.home, 0, 0)
    chmodSync(config.home, 0o755)
    expect(asNobody('create', config)).toBe('key-store-not-written')
    expect([readdirSync(config.home), readdirSync(dirname(config.rootKeyFile!))]).toEqual([[], []])
  })

  it('without the right to read key file or key store is told which', (context) => {
    needsNobody(context)
    const config = homeOfNobody()
    expect(asNobody('create', config)).toBe('done')
    chownSync(config.rootKeyFile!, 0, 0)
    expect(asNobody('open', config)).toBe('key-unreadable')
    chownSync(config.rootKeyFile!, NOBODY, NOBODY)
    chownSync(storePath(config), 0, 0)
    expect(asNobody('open', config)).toBe('key-store-damaged')
    chmodSync(storePath(config), 0o444)
    expect(asNobody('open', config)).toBe('done')
    expect(asNobody('write', config)).toBe('key-unavailable')
    chownSync(storePath(config), NOBODY, NOBODY)
    chmodSync(storePath(config), 0o600)
    expect(asNobody('write', config)).toBe('done')
  })
})

describe('a place that cannot be written', () => {
  it('for the key file makes no instance and no recovery', async (context) => {
    const path = small(context, 512)
    mkdirSync(join(path, 'outside'))
    expect(spawnSync('mount', ['-o', 'remount,ro', path]).status).toBe(0)
    const config = configIn(folder(), { SEALBOOK_ROOT_KEY_FILE: join(path, 'outside', 'root.key') })
    expect(await codeOf(() => createInstance(config))).toBe('secret-not-written')
    expect(hasInstance(config)).toBe(false)

    const other = configIn(folder())
    await createInstance(other)
    const vault = await openVault(other)
    const kit = await vault.makeRecoveryKit()
    await vault.close()
    const before = snapshot(dirname(other.home))
    expect(await codeOf(() => recoverInstance({ ...other, rootKeyFile: config.rootKeyFile }, kit))).toBe('secret-not-written')
    expect(snapshot(dirname(other.home))).toEqual(before)
  })
})

describe('a full disk', () => {
  it('under the key file leaves no half-written one, and no instance', async (context) => {
    const path = small(context, 64)
    fill(path)
    const config = configIn(folder(), { SEALBOOK_ROOT_KEY_FILE: join(path, 'root.key') })
    expect(await codeOf(() => createInstance(config))).toBe('secret-not-written')
    expect([readdirSync(path), hasInstance(config)]).toEqual([['filler'], false])
  })

  for (const spare of [0, 4096, 16_384, 32_768, 65_536]) it(`under the home with ${spare} bytes left leaves neither store nor key file`, async (context) => {
    const path = small(context, 1024)
    fill(path, spare)
    const config = configIn(folder(), { SEALBOOK_HOME: join(path, 'home') })
    expect(await codeOf(() => createInstance(config))).toBe('key-store-not-written')
    expect(Object.keys(snapshot(path))).toEqual([join(path, 'filler')])
    expect(snapshot(dirname(config.rootKeyFile!))).toEqual({})
    rmSync(join(path, 'filler'))
    await createInstance(config)
    await (await openVault(config)).close()
  })

  it('under a running vault is a Problem, keeps what was acknowledged, and passes when there is room again', async (context) => {
    const path = small(context, 1024)
    const config = configIn(folder(), { SEALBOOK_HOME: join(path, 'home') })
    await createInstance(config)
    const vault = await openVault(config)
    const [first] = await vault.createOwnerKeys(ids(1))
    const filler = fill(path, 100_000)
    const kept: string[] = [first!.ownerId]
    let refused: unknown = null
    for (let i = 0; i < 500 && !refused; i++) await vault.createOwnerKeys(ids(20)).then((keys) => kept.push(...keys.map((k) => k.ownerId)), (error: unknown) => (refused = error))
    expect(refused).toEqual(new Problem('key-unavailable'))
    for (const id of kept) expect(vault.ownerKey(id).ownerId).toBe(id)
    const rest = fill(path, 0, 'rest')
    // There may be room in the log to bury it, and none to fold the log into the file: then it waits for room.
    const destroyed = vault.destroyOwnerKey(kept[1]!).catch((error: unknown) => error)
    await sleep(300)
    for (const file of [filler, rest]) rmSync(file)
    const outcome = await destroyed
    if (outcome !== undefined) expect(outcome).toEqual(new Problem('key-unavailable'))
    expect(vault.hasOwnerKey(kept[1]!)).toBe(outcome !== undefined)
    await vault.destroyOwnerKey(kept.splice(1, 1)[0]!)
    kept.push(...(await vault.createOwnerKeys(ids(1))).map((k) => k.ownerId))
    await vault.destroyOwnerKey(first!.ownerId)
    await vault.close()
    const again = await openVault(config)
    expect(again.status().subjectKeys).toBe(kept.length - 1)
    for (const id of kept.slice(1)) expect(again.ownerKey(id).ownerId).toBe(id)
    await again.close()
  })

  it('under a sealed file is a Problem and leaves no file', async (context) => {
    const path = small(context, 512)
    const config = configIn(folder())
    await createInstance(config)
    const vault = await openVault(config)
    onTestFinished(() => vault.close())
    const file = join(path, 'export.sealed')
    const target = createSealedFile(vault, file, 'x')
    const closed = new Promise((resolve) => target.once('close', resolve))
    expect(await codeOf(() => pipeline(Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(16_000))), target))).toBe('storage-unavailable')
    await closed
    expect(readdirSync(path)).toEqual([])
  })
})
