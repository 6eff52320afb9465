import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Problem } from '../base/index.ts'
import { loadConfig, type Config } from '../config/index.ts'
import { errorFields, openLog, type Log } from './index.ts'

const CANARY = '王小明 wang@example.com 13812345678'

function configFor(level: string): Config {
  const home = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-log-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return loadConfig({ SEALBOOK_HOME: home, SEALBOOK_LOG_LEVEL: level })
}

/** What `use` makes the log file hold. */
async function written(use: (log: Log) => void, level = 'debug'): Promise<Record<string, unknown>[]> {
  const config = configFor(level)
  const log = openLog(config, { quiet: true })
  use(log)
  log.error({ code: 'end' }, 'end')
  const file = join(config.home, 'log', 'sealbook.log')
  for (let i = 0; i < 100; i++) {
    await sleep(10)
    const text = readFileSync(file, 'utf8')
    if (text.includes('"end"')) return text.trim().split('\n').slice(0, -1).map((l) => JSON.parse(l) as Record<string, unknown>) // lines of JSON
  }
  throw new Error('nothing was written')
}

class Custom extends Error {
  detail = CANARY
  code = '23505'
}

/** Every careless way to log a value that we could think of. */
const careless: Record<string, (log: Log) => void> = {
  'unknown keys': (log) => log.info({ body: CANARY, email: CANARY, fullName: CANARY, name: CANARY, params: [CANARY], sql: CANARY }),
  'an object under a known key': (log) => log.info({ id: { fullName: CANARY } as unknown as string, code: [CANARY] }),
  'an error': (log) => log.error(new Custom(CANARY)),
  'an error with words': (log) => log.error(new Custom(CANARY), 'failed'),
  'an error as err': (log) => log.error({ err: new Custom(CANARY) }),
  'an error under any key': (log) => log.error({ reason: new Custom(CANARY, { cause: new Error(CANARY) }) }, 'failed'),
  'something like an error': (log) => log.error({ err: { message: CANARY, stack: CANARY } }),
  'a message': (log) => log.info(CANARY),
  'an e-mail in a message': (log) => log.info('created wang@example.com'),
  'a number in a message': (log) => log.info('called 13812345678'),
  'values for %s': (log) => log.info({}, 'created %s', CANARY),
  'values for %o': (log) => log.info('created %o', { fullName: CANARY }),
  'a message among the fields': (log) => log.info({ msg: CANARY, message: CANARY }),
  'time and level among the fields': (log) => log.info({ time: CANARY, level: CANARY, hostname: CANARY }),
  'a child': (log) => log.child({ body: CANARY, email: CANARY }).info('child'),
  'a child with words of its own': (log) => log.child({ code: 'x' }, { formatters: { log: (o) => o }, serializers: { code: () => CANARY }, msgPrefix: CANARY }).info({ body: CANARY }, 'child'),
  'a grandchild': (log) => log.child({ code: 'x' }).child({ email: CANARY }).warn({ email: CANARY }, 'grandchild'),
  'new bindings': (log) => (log.setBindings({ email: CANARY }), log.info('bound')),
  'another level': (log) => (log.debug({ body: CANARY }), log.warn({ body: CANARY }), log.fatal({ body: CANARY })),
  'a stack that is made up': (log) => log.error(Object.assign(new Error('x'), { stack: `Error: x\nsome ${CANARY}` })),
  'a message that looks like a frame': (log) => log.error(new Error(`first\n    at ${CANARY}`)),
}

describe('a careless line', () => {
  it.each(Object.keys(careless))('writes nothing of a value: %s', async (name) => {
    const lines = JSON.stringify(await written(careless[name]!))
    for (const part of ['王小明', 'wang@example.com', '13812345678']) expect(lines).not.toContain(part)
  })

  it('still says that it was there', async () => {
    const lines = await written((log) => {
      log.info({ body: CANARY, requestId: 'r1', status: 200 }, 'request')
      log.info(CANARY)
      log.error({ err: new Custom(CANARY), requestId: 'r2' })
    })
    expect(lines[0]).toMatchObject({ requestId: 'r1', status: 200, msg: 'request' })
    expect(String(lines[1]!['msg'])).toContain('withheld')
    expect(lines[2]).toMatchObject({ requestId: 'r2', errorType: 'Error', errorCode: '23505' })
    expect(String(lines[2]!['where'])).toContain('log.test.ts')
  })
})

describe('the log', () => {
  it('keeps every level it is set to in the file, debug too, and none below', async () => {
    const use = (log: Log): void => (log.debug({ count: 1 }, 'one'), log.info({ count: 2 }, 'two'))
    expect((await written(use, 'debug')).map((l) => l['count'])).toEqual([1, 2])
    expect((await written(use, 'info')).map((l) => l['count'])).toEqual([2])
    expect(await written(use, 'warn')).toEqual([])
  })

  it('is a file of its owner alone, in a folder of its owner alone', async () => {
    const config = configFor('info')
    openLog(config, { quiet: true }).info('x')
    await sleep(50)
    expect([statSync(join(config.home, 'log')).mode & 0o777, statSync(join(config.home, 'log', 'sealbook.log')).mode & 0o777]).toEqual([0o700, 0o600])
  })

  it('holds no name of this machine', async () => {
    const [line] = await written((log) => log.info({ count: 1 }, 'x'))
    expect(Object.keys(line!).sort()).toEqual(['count', 'level', 'msg', 'pid', 'time'])
  })
})

describe('errorFields', () => {
  it('has type, code and place, and no message', () => {
    const fields = errorFields(new Custom(CANARY))
    expect(Object.keys(fields).sort()).toEqual(['errorCode', 'errorType', 'where'])
    expect(JSON.stringify(fields)).not.toContain('王小明')
    expect(errorFields(new Problem('rate', { cause: new Error(CANARY) }))).toMatchObject({ errorType: 'Problem', errorCode: 'rate' })
  })

  it('shows our files from src on, and no path of the machine', () => {
    expect(errorFields(new Error('x'))['where']).toMatch(/src\/kernel\/log\/log\.test\.ts/)
    expect(errorFields(Object.assign(new Error('x'), { stack: 'Error: x\n    at f (file:///home/someone/app/src/a.ts:1:2)\n    at file:///home/someone/app/src/b.ts:3:4' }))['where']).toBe('at f (src/a.ts:1:2) < at src/b.ts:3:4')
  })

  it.each([CANARY, null, undefined, 7, { message: CANARY }])('of what is no error is its type: %j', (thrown) => {
    expect(errorFields(thrown)).toEqual({ errorType: typeof thrown })
  })
})
