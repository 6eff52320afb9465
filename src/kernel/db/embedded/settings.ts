import { writeFile, rename, chmod, chown } from 'node:fs/promises'
import { join } from 'node:path'
import type { Account } from './account.ts'
import type { Layout } from './layout.ts'

export const SUPER = 'sealbook_super'
export const OWNER = 'sealbook_owner'
export const APP = 'sealbook_app'
export const DATABASE = 'sealbook'
export const PORT = 5432

/** Every line is ours and written at each start, so an edited file or ALTER SYSTEM cannot switch durability off or turn on logging of values. */
const SERVER = `# Written by Sealbook at each start; changes are lost.
listen_addresses = ''
port = ${PORT}
unix_socket_directories = '{{sockets}}'
unix_socket_permissions = 0700
password_encryption = scram-sha-256
allow_alter_system = off
max_connections = 100

shared_buffers = 256MB
work_mem = 8MB
maintenance_work_mem = 128MB
effective_cache_size = 1GB
random_page_cost = 1.1
jit = off
# Parallel plans put shared memory into /dev/shm, of which a container has 64 MB.
max_parallel_workers_per_gather = 0

fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
wal_compression = on
max_wal_size = 2GB
checkpoint_timeout = 15min

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'

# No statement, parameter, detail or context reaches a log, whatever fails. 'log' as the least level leaves out
# ERROR and WARNING, whose text may quote a value; LOG, FATAL and PANIC speak of the server itself.
logging_collector = off
log_destination = 'stderr'
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_statement = none
log_min_duration_statement = -1
log_min_duration_sample = -1
log_transaction_sample_rate = 0
log_autovacuum_min_duration = -1
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_checkpoints = off
log_connections = ''
log_disconnections = off
log_lock_waits = off
`

const hba = `# Written by Sealbook at each start. The socket is the only door, and the kernel says who knocks.
local all all peer map=sealbook
`

function identities(account: Account): string {
  const name = `"${account.client.replaceAll('"', '""')}"`
  return `# Written by Sealbook at each start: the account that runs Sealbook may act as these roles; no other account may.
sealbook ${name} ${SUPER}
sealbook ${name} ${OWNER}
sealbook ${name} ${APP}
`
}

/** What the files of a cluster should say; also compared with what a server left behind was started with. */
export function settingsFiles(layout: Layout, account: Account): Record<string, string> {
  return { 'postgresql.conf': SERVER.replace('{{sockets}}', layout.socketsForServer.replaceAll("'", "''")), 'pg_hba.conf': hba, 'pg_ident.conf': identities(account) }
}

export async function writeSettings(directory: string, files: Record<string, string>, account: Account): Promise<void> {
  for (const [name, text] of Object.entries({ ...files, 'postgresql.auto.conf': '' })) {
    const fresh = join(directory, `${name}.new`)
    await writeFile(fresh, text, { mode: 0o600 })
    await chmod(fresh, 0o600)
    if (account.drop) await chown(fresh, account.drop.uid, account.drop.gid)
    await rename(fresh, join(directory, name))
  }
}
