import { once } from 'node:events'
import { createServer } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Refusal } from '../base/index.ts'

export interface Address {
  host: string
  /** 0 takes a free one. */
  port: number
}

/** Throws the Refusal that `listen` would throw: port-taken, port-refused, host-unusable. Asked before anything is opened, so that nothing is changed. */
export async function checkAddress(address: Address): Promise<void> {
  const probe = createServer()
  try {
    probe.listen({ host: address.host, port: address.port })
    await once(probe, 'listening')
  } catch (error) {
    throw refusalFor(error, address)
  }
  await new Promise((resolve) => probe.close(resolve))
}

/** Resolves with the port. */
export async function listen(app: FastifyInstance, address: Address): Promise<number> {
  try {
    await app.listen({ host: address.host, port: address.port })
  } catch (error) {
    throw refusalFor(error, address)
  }
  const bound = app.server.address()
  return typeof bound === 'object' && bound ? bound.port : address.port
}

function refusalFor(error: unknown, { host, port }: Address): unknown {
  const code = (error as { code?: string }).code
  if (code === 'EADDRINUSE') return new Refusal('port-taken', `Port ${port} on ${host} is taken: stop what uses it or set SEALBOOK_PORT; nothing was changed.`, 4, error)
  if (code === 'EACCES') return new Refusal('port-refused', `Port ${port} needs more rights than this user has: set SEALBOOK_PORT to 1024 or above; nothing was changed.`, 4, error)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EINVAL') return new Refusal('host-unusable', `This machine has no address ${host}: correct SEALBOOK_HOST; nothing was changed.`, 4, error)
  return error
}
