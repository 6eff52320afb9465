import type { PublicRoute, Route } from './types.ts'

const ANYBODY = new Set(['public', 'signed-in'])

/** Throws with everything that is wrong with the routes, which stops the boot. */
export function checkRoutes(routes: readonly (Route | PublicRoute)[], permissions: ReadonlySet<string>): void {
  const faults: string[] = []
  const seen = new Set<string>()
  for (const { contract } of routes) {
    const name = `${contract.method} ${contract.path}`
    if (seen.has(name)) faults.push(`${name} is declared twice`)
    seen.add(name)
    if (!contract.permission) faults.push(`${name} states no permission`)
    else if (!ANYBODY.has(contract.permission) && !permissions.has(contract.permission)) faults.push(`${name} asks for ${contract.permission}, which no module declares`)
    const changes = contract.method === 'PATCH' || contract.method === 'DELETE'
    if (changes && contract.path.endsWith('/:id') && contract.ifMatch === undefined) faults.push(`${name} does not say whether it needs If-Match`)
  }
  if (faults.length > 0) throw new Error(`routes: ${faults.join('; ')}`)
}
