import { route, type Route } from '../../kernel/http/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { contracts } from './webhooks.contract.ts'
import { allHooks, createHook, deliveriesOf, endHook, findHook, patchHook, rotateSecret, testHook, viewsOf, type HooksDeps } from './webhooks.service.ts'
import type { MatchBudget } from '../access/index.ts'

type Hook = Awaited<ReturnType<typeof findHook>>

async function answer(desk: Desk, hook: Hook, secret?: string): Promise<{ body: object; version: number }> {
  const [view] = await viewsOf(desk, [hook])
  return { body: { ...view, ...(secret ? { secret } : {}) }, version: hook.version }
}

/** `tests`: how many test messages each person may still send this hour. */
export function webhookRoutes(deps: HooksDeps, tests: MatchBudget): Route[] {
  return [
    route(contracts.create, async (desk, { body }) => {
      const hook = await createHook(desk, deps, body)
      return answer(desk, hook, hook.words.secret)
    }),
    route(contracts.list, async (desk) => ({ body: { items: await viewsOf(desk, await allHooks(desk, deps)) } })),
    route(contracts.get, async (desk, { params }) => answer(desk, await findHook(desk, deps, params.id))),
    route(contracts.patch, async (desk, { params, version, body }) => answer(desk, await patchHook(desk, deps, params.id, version, body))),
    route(contracts.remove, async (desk, { params }) => {
      await endHook(desk, deps, params.id)
      return { body: { id: params.id } }
    }),
    route(contracts.rotate, async (desk, { params }) => {
      const hook = await rotateSecret(desk, deps, params.id)
      return answer(desk, hook, hook.words.secret)
    }),
    route(contracts.test, async (desk, { params }) => {
      tests.spend(desk.actor.personId, 1)
      const { outcome, status } = await testHook(desk, deps, params.id)
      return { body: { outcome, status } }
    }),
    route(contracts.deliveries, async (desk, { params, query }) => ({ body: await deliveriesOf(desk, deps, params.id, query.cursor) })),
  ]
}
