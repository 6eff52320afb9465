import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Refusal } from '../base/index.ts'
import { configDocument, loadConfig, rootKeyPath } from './index.ts'

function refusalOf(env: Record<string, string>): Refusal {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('the environment', () => {
  it('may be empty', () => {
    expect(loadConfig({})).toMatchObject({
      home: resolve('./data'),
      host: '127.0.0.1',
      port: 8443,
      origin: 'https://localhost:8443',
      trustedProxies: [],
      databaseUrl: null,
      databaseAdminUrl: null,
      custodian: 'key-file',
      rootKeyFile: null,
      passphraseFile: null,
      logLevel: 'info',
    })
  })

  it('may set every variable; an empty one is one that is not set', () => {
    const config = loadConfig({ SEALBOOK_PORT: '0', SEALBOOK_TRUSTED_PROXIES: ' 10.0.0.1, ,10.0.0.0/8 ', SEALBOOK_LOG_LEVEL: 'debug', SEALBOOK_HOST: '', SEALBOOK_ROOT_KEY_FILE: '', SEALBOOK_HOME: '/srv/x/../y' })
    expect([config.port, config.origin, config.host, config.rootKeyFile, config.home, config.logLevel]).toEqual([0, null, '127.0.0.1', null, '/srv/y', 'debug'])
    expect(config.trustedProxies).toEqual(['10.0.0.1', '10.0.0.0/8'])
  })

  it('with a variable of ours that is none is refused, so that a slip in a name is never a default', () => {
    const refusal = refusalOf({ SEALBOOK_ROOT_KEYFILE: '/keys/root.key' })
    expect([refusal.code, refusal.exitCode]).toEqual(['config-invalid', 2])
    expect(refusal.message).toContain('SEALBOOK_ROOT_KEYFILE is not a setting')
  })

  it('may hold variables of others, and of the command line as a client', () => {
    expect(() => loadConfig({ PATH: '/bin', SEAL: 'x', SEALBOOK_URL: 'https://x', SEALBOOK_TOKEN_FILE: 't', SEALBOOK_CA_FILE: 'c' })).not.toThrow()
  })

  it('is refused with everything that is wrong at once', () => {
    const { message } = refusalOf({ SEALBOOK_PORT: '70000', SEALBOOK_CUSTODIAN: 'paper', SEALBOOK_LOG_LEVEL: 'loud', SEALBOOK_ORIGIN: 'http://x', SEALBOOK_NO: '1', SEALBOOK_DATABASE_URL: 'postgres://app@db/x' })
    for (const name of ['SEALBOOK_PORT', 'SEALBOOK_CUSTODIAN', 'SEALBOOK_LOG_LEVEL', 'SEALBOOK_ORIGIN', 'SEALBOOK_NO', 'SEALBOOK_DATABASE_ADMIN_URL']) expect(message).toContain(name)
    expect(message.split('\n').length).toBe(1)
  })

  it.each(['-1', '65536', '8443x', '0x10', '1e3', ' ', '8 443', '８４４３'])('has no port %j', (port) => {
    expect(refusalOf({ SEALBOOK_PORT: port }).message).toContain('SEALBOOK_PORT')
  })

  it.each(['http://crm.example', 'crm.example', 'https://crm.example/path', 'https://crm.example/?a=1', 'https://crm.example/#a', 'https://user:secret@crm.example', 'ftp://x', 'https://'])('has no origin %j', (origin) => {
    const { message } = refusalOf({ SEALBOOK_ORIGIN: origin })
    expect(message).toContain('SEALBOOK_ORIGIN')
    expect(message).not.toContain('secret')
  })

  it.each([
    ['https://crm.example/', 'https://crm.example'],
    ['https://CRM.example:443', 'https://crm.example'],
    ['https://crm.example:8443', 'https://crm.example:8443'],
    ['https://密客.example', 'https://xn--ubt1c.example'],
  ])('takes the origin %s as a browser sends it', (origin, sent) => {
    expect(loadConfig({ SEALBOOK_ORIGIN: origin }).origin).toBe(new URL(sent).origin)
  })

  it('is not to be changed afterwards', () => {
    const config = loadConfig({})
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.trustedProxies)).toBe(true)
  })
})

describe('the key file', () => {
  it('lies outside the home unless it is told otherwise, one for each instance', () => {
    expect(rootKeyPath(loadConfig({ SEALBOOK_HOME: '/srv/sealbook' }), 'abc')).toBe(join(homedir(), '.config', 'sealbook', 'abc.key'))
    expect(rootKeyPath(loadConfig({ SEALBOOK_ROOT_KEY_FILE: '/media/stick/root.key' }), 'abc')).toBe('/media/stick/root.key')
  })
})

describe('the printed settings', () => {
  it('name every variable with its default, and no default for a secret', () => {
    const text = configDocument()
    for (const line of ['`SEALBOOK_PORT` | `8443`', '`SEALBOOK_ROOT_KEY_FILE` | —', '`SEALBOOK_PASSPHRASE_FILE` | —', '`SEALBOOK_DATABASE_URL` | —']) expect(text).toContain(line)
  })
})
