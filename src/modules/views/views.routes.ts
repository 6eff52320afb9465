import { route, type Route } from '../../kernel/http/index.ts'
import { dropFavourite, favouritesOf, keepFavourite } from './favourites.service.ts'
import { favouriteContracts, viewContracts } from './views.contract.ts'
import { changeView, createView, removeView, viewOf, viewsOf, type ViewBody, type ViewsDeps } from './views.service.ts'

export function viewRoutes(deps: ViewsDeps): Route[] {
  return [
    route(viewContracts.create, async (desk, { body }) => createView(desk, deps, body as Parameters<typeof createView>[2])), // parts left out are undefined
    route(viewContracts.list, async (desk) => ({ body: await viewsOf(desk, deps) })),
    route(viewContracts.get, async (desk, { params }) => viewOf(desk, deps, params.id)),
    route(viewContracts.patch, async (desk, { params, body, version }) => changeView(desk, deps, params.id, version, body as ViewBody)),
    route(viewContracts.remove, async (desk, { params, version }) => ({ body: await removeView(desk, params.id, version) })),
    route(favouriteContracts.list, async (desk) => ({ body: await favouritesOf(desk, deps) })),
    route(favouriteContracts.put, async (desk, { params }) => ({ body: await keepFavourite(desk, deps, params.kind, params.id) })),
    route(favouriteContracts.remove, async (desk, { params }) => ({ body: await dropFavourite(desk, params.kind, params.id) })),
  ]
}
