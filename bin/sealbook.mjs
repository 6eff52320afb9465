#!/usr/bin/env node
// npx --no-install sealbook VERB … : the command line. Installs only when nothing is there yet, so that a verb stays quick and quiet.
import { install, missing, refuseUnsupported, run } from './bootstrap.mjs'

refuseUnsupported()
if (missing()) await install()
run('src/main.ts', process.argv.slice(2))
