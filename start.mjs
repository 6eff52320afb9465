// node start.mjs start|test|bench|cli … : brings the pinned Node and the locked packages, then runs Sealbook on them.
import { install, refuse, refuseUnsupported, run, stale } from './bin/bootstrap.mjs'

const scripts = { start: ['src/main.ts', 'start'], test: ['test/run.ts'], bench: ['bench/main.ts'], cli: ['src/main.ts'] }

const [verb = '', ...args] = process.argv.slice(2)
if (!Object.hasOwn(scripts, verb)) refuse(`say one of ${Object.keys(scripts).join(', ')}: node start.mjs start`)
refuseUnsupported()
if (stale()) await install()
const [script, ...first] = scripts[verb]
run(script, [...first, ...args])
