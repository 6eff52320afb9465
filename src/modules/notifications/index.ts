import type { Module } from '../../kernel/module.ts'
import type { RecordsDeps } from '../records/index.ts'
import { notificationRoutes } from './notifications.routes.ts'

export { openMailer, type Mailer } from './mailer.ts'
export { MailRound, type MailRoundDeps } from './notifications.jobs.ts'
export { notify, notifyAll, toldBefore, type TellingDeps } from './notifications.service.ts'
export { purgeNotifications, type NotificationKind, type NotificationWords } from './notifications.store.ts'

/** What a person is told: in the product, and by mail that says only how much. */
export function notificationsModule(deps: RecordsDeps): Module {
  return {
    name: 'notifications',
    permissions: { 'notifications:read': 'see what one is told, mark it as read, and switch its mail on or off; one\'s own only' },
    routes: notificationRoutes(deps),
  }
}
