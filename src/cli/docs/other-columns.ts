/**
 * Columns of the tables that are no entity's, and what a thief of the database learns from each. A test compares this with
 * the tables as they are, so a new column cannot go unsaid.
 */
const ID = 'a random number with the time it was made'
const LINK = 'which rows belong together'
const WHEN = 'when it happened'
const COUNT = 'how often it was changed'
const MAC = 'nothing: a keyed digest'
const SEALED = 'its size to the bucket'

export const OTHER_COLUMNS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  organisation: { id: ID, only_row: 'nothing', version: COUNT, country: 'the country of the organisation', locale: 'its language', sealed: SEALED, created_at: WHEN, mac: MAC },
  department: { id: ID, organisation_id: LINK, parent_id: 'the shape of the tree of departments, without names', version: COUNT, sealed: SEALED, created_at: WHEN, mac: MAC },
  person: {
    id: `${ID}; how many colleagues there are`, version: COUNT, department_id: LINK, disabled_at: 'when a colleague left', locale: 'their language', session_epoch: 'how often all their sessions were ended',
    token_epoch: 'how often all their tokens were ended', administrator_until: 'since when they are no administrator any more', factor_digest: MAC, email_blind: MAC, sealed: SEALED, created_at: WHEN, updated_at: WHEN, mac: MAC,
  },
  person_role: { person_id: LINK, role: 'which role a colleague holds', granted_by: 'who gave it', granted_at: WHEN, mac: MAC },
  factor: { id: ID, person_id: LINK, kind: 'how a colleague signs in: password, totp, recovery, reset', state: 'whether it is in use', version: COUNT, data: 'nothing: sealed, or a keyed digest', last_step: 'when a code of an authenticator was last used', set_by: 'who set it', created_at: WHEN, mac: MAC },
  session: { id: ID, person_id: 'who is signed in', version: COUNT, digest: MAC, session_epoch: 'nothing', created_at: WHEN, seen_at: 'when they last worked', factor_at: 'when they last proved a factor', expires_at: WHEN, mac: MAC },
  api_token: { id: ID, person_id: 'who has a token', version: COUNT, digest: MAC, token_epoch: 'nothing', scopes: 'what the token may do', created_by: 'who made it', via_token: 'with which token it was made', sealed: SEALED, created_at: WHEN, expires_at: WHEN, revoked_at: WHEN, mac: MAC },
  approval: { id: ID, kind: 'what waits for a second person', subject_id: LINK, change: 'roles, department or status asked for', state: 'pending, approved or refused', version: COUNT, requested_by: 'who asked', requested_at: WHEN, decided_by: 'who decided', decided_at: WHEN, mac: MAC },
  webhook: { id: ID, version: COUNT, person_id: 'who has changes sent somewhere', principal_id: 'which token it acts as', state: 'active, paused or disabled', reason: 'why it is disabled', sealed: SEALED, created_at: WHEN, updated_at: WHEN, mac: MAC },
  webhook_progress: { webhook_id: LINK, next_leaf: 'how far it has followed the ledger', failures: 'how often its target failed in a row', failing_since: WHEN, next_at: 'when it goes on', claimed_until: 'that a node works on it', mac: MAC },
  webhook_delivery: { id: ID, webhook_id: LINK, leaf: 'which event of the ledger was sent', state: 'what came of it', attempts: 'how often it was sent', status: 'the number of the last answer', created_at: WHEN, next_at: WHEN },
  authority_epoch: { only_row: 'nothing', epoch: 'how often people, roles and departments changed' },
  custom_field: { id: `${ID}; how many custom fields there are`, version: COUNT, created_at: WHEN, words: SEALED },
  attachment_file: { id: 'a random number, the name of a file in HOME/blobs, whose size can be seen there', attachment_id: LINK, part: 'whether it is the file or its preview', created_at: WHEN },
  blind: { digest: 'that two rows share an exact value (the same e-mail), not which; keyed', row_id: 'how many exact values a row has' },
  run: { id: ID, kind: 'that there was an import or an export', person_id: 'whose', version: COUNT, state: 'how it ended', created_at: WHEN, words: SEALED },
  undo_step: { token_mac: MAC, person_id: 'who changed rows in bulk', entity: 'rows of which noun', row_id: LINK, version: 'nothing', before: SEALED, created_at: WHEN },
  calendar_feed: { id: ID, person_id: 'who reads the calendar elsewhere', principal_id: 'which token it acts as', digest: MAC, detail: 'whether titles are told', created_at: WHEN, sealed: SEALED, mac: MAC },
  round: { name: 'which work comes round', node: 'on which node', until: WHEN },
  notification: { id: ID, person_id: 'who was told something, and how often', key: MAC, created_at: WHEN, read_at: 'when it was read', mail: 'whether a mail went out', words: SEALED },
  notification_setting: { person_id: LINK, mail: 'whether a colleague wants mails' },
  demo_run: { id: ID, only_row: 'nothing', state: 'that there is a demonstration company', person_id: 'who made it', day: WHEN, mac: MAC },
  demo_batch: { run_id: LINK, n: 'nothing', noun: 'rows of which noun', ids: 'which rows are invented', mac: MAC },
  idempotency: { key_mac: MAC, body_mac: MAC, status: 'that a request was done', seal_owner: 'which row it was about', answer: SEALED, created_at: WHEN },
  saved_view: { id: ID, person_id: 'who keeps a view', noun: 'of which noun', version: COUNT, created_at: WHEN, updated_at: WHEN, departments: 'which departments it is shared with', words: SEALED },
  favourite: { person_id: 'who keeps something at hand', kind: 'of which noun, or a view', object_id: LINK, created_at: WHEN },
  ledger_event: {
    id: ID, at: WHEN, node: 'on which node', object_id: 'which row was touched, and by how many events: the pattern of access', seal_owner: 'whose key seals the detail', action: 'what was done, e.g. contact.read',
    actor: 'which colleague, as a random handle', object_kind: 'a row of which noun', subjects: 'which persons, as random handles', purpose: 'view, list, export, reveal …', payload: SEALED, payload_hash: 'nothing: a hash of sealed bytes', mac: MAC,
  },
  ledger_leaf: { n: 'the order of events; how many there are', event_id: LINK, hash: 'nothing: a hash' },
  ledger_block: { level: 'nothing', i: 'nothing', hash: 'nothing: a hash' },
  ledger_checkpoint: { size: 'how many events there were', root: 'nothing: a hash', note: 'the signed tree head, made to be shown', at: WHEN },
  ledger_link: { node: 'on which node', seq: 'how many groups of events', ids: LINK, chain: MAC },
  ledger_lease: { epoch: 'how often the sequencer changed', node: 'on which node', at: WHEN },
  schema_migration: { name: 'the version of Sealbook', checksum: 'nothing', applied_at: 'when it was upgraded' },
}
