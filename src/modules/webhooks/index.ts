import type { Module } from '../../kernel/module.ts'
import { createAuthority, MatchBudget } from '../access/index.ts'
import { Dispatcher, type DispatcherDeps } from './dispatcher.ts'
import { webhookRoutes } from './webhooks.routes.ts'

export { purgeDeliveries } from './deliveries.store.ts'
export { Targets } from './target.ts'
export type { HooksDeps } from './webhooks.service.ts'

const TESTS_PER_HOUR = 60
const IDS_PER_HOUR = 20_000
const RECORDS_PER_HOUR = 500

export type WebhooksDeps = Omit<DispatcherDeps, 'signing' | 'budgets'>

/** Signed messages to other programs about what changed. */
export class Webhooks {
  readonly #deps: DispatcherDeps
  readonly #dispatcher: Dispatcher

  constructor(deps: WebhooksDeps) {
    const { vault, ledger } = deps.work
    this.#deps = { ...deps, signing: { vault, authority: createAuthority({ vault, ledger }) }, budgets: { ids: new MatchBudget(IDS_PER_HOUR), records: new MatchBudget(RECORDS_PER_HOUR) } }
    this.#dispatcher = new Dispatcher(this.#deps)
  }

  start(): void {
    this.#dispatcher.start()
  }

  /** Ends what is being sent; it is sent again after the next start. */
  stop(): Promise<void> {
    return this.#dispatcher.stop()
  }

  module(): Module {
    return {
      name: 'webhooks',
      permissions: { 'webhooks:create': 'have changes of what one sees sent to an address, and change one\'s own webhooks', 'webhooks:manage': 'see and end everybody\'s webhooks' },
      routes: webhookRoutes(this.#deps, new MatchBudget(TESTS_PER_HOUR)),
    }
  }
}
