import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IdentityLab } from '../../../test/harness/identity.ts'
import { uuidv7 } from '../../kernel/base/index.ts'
import { mailOf } from './notifications.jobs.ts'
import { notifyAll, toldBefore } from './notifications.service.ts'
import type { NotificationWords } from './notifications.store.ts'

describe('telling somebody', () => {
  let lab: IdentityLab
  beforeAll(async () => {
    lab = await IdentityLab.open()
  })
  afterAll(() => lab.close())

  const words = (at: string, id = uuidv7()): NotificationWords => ({ kind: 'reminder', object: { kind: 'activity', id }, at })

  it('happens once for each moment, on however many nodes at once', async () => {
    const personId = lab.owner.ownerId
    const [early, late] = ['2027-01-01T00:00:00.000Z', '2027-01-02T00:00:00.000Z']
    const id = uuidv7()
    const told = await Promise.all(Array.from({ length: 12 }, () => notifyAll(lab.deps, personId, [words(early, id)])))
    expect(told.reduce((a, b) => a + b)).toBe(1)
    // The same thing at another moment (it was snoozed), and another thing at the same one.
    expect(await notifyAll(lab.deps, personId, [words(early, id), words(late, id), words(early)])).toBe(2)
    expect(await lab.sql('SELECT 1 FROM notification WHERE person_id = $1', [personId])).toHaveLength(3)
    expect(await lab.events('notification.created')).toBe(3)
    expect(await toldBefore(lab.deps, [{ personId, ...words(early, id) }, { personId, ...words('2027-01-03T00:00:00.000Z', id) }])).toEqual([true, false])
  })

  it('is undone whole when the ledger cannot write it down', async () => {
    const broken = { ...lab.deps, ledger: Object.assign(Object.create(lab.deps.ledger), { recordMany: () => Promise.reject(new Error('the ledger is away')) }) }
    const before = (await lab.sql('SELECT 1 FROM notification')).length
    await expect(notifyAll(broken, lab.owner.ownerId, [words('2027-02-01T00:00:00.000Z')])).rejects.toThrow('away')
    expect(await lab.sql('SELECT 1 FROM notification')).toHaveLength(before)
  })
})

describe('a mail', () => {
  it('counts by kind, in the language of its reader', () => {
    const list = [{ kind: 'reminder' }, { kind: 'assigned' }, { kind: 'reminder' }] as const
    expect(mailOf({ email: 'a@example.com', locale: 'en' }, list, 'https://crm.example.com')).toEqual({
      to: 'a@example.com',
      subject: 'Sealbook: 3 new notifications',
      text: 'You have 2 reminders.\n1 task was given to you.\n\nOpen Sealbook to see them:\nhttps://crm.example.com\n\nYou can switch these mails off in your settings.\n',
    })
    expect(mailOf({ email: 'a@example.com', locale: 'zh-CN' }, list, 'https://crm.example.com').text).toMatch(/^您有 2 条提醒。\n有 1 项任务分配给您。\n/)
  })
})
