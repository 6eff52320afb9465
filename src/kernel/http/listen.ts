import { once } from 'node:events'
import type { Server } from 'node:https'
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

/** A container is killed ten seconds after it was asked to stop, and the database has to stop after this. */
const PATIENCE_MS = 7_000

/**
 * Takes no new requests and lets those under way end. A connection is closed as soon as it is idle, not only those that were when
 * it began; one whose client does not read on, or never ends its request, is cut.
 */
export async function drain(app: FastifyInstance): Promise<void> {
  const server = app.server as unknown as Server // built with TLS options
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const late = setTimeout(() => server.closeAllConnections(), PATIENCE_MS)
  try {
    await app.close()
  } finally {
    clearInterval(idle)
    clearTimeout(late)
  }
}

function refusalFor(error: unknown, { host, port }: Address): unknown {
  const code = (error as { code?: string }).code
  if (code === 'EADDRINUSE') return new Refusal('port-taken', `Port ${port} on ${host} is taken: stop what uses it or set SEALBOOK_PORT; nothing was changed.`, 4, error)
  if (code === 'EACCES') return new Refusal('port-refused', `Port ${port} needs more rights than this user has: set SEALBOOK_PORT to 1024 or above; nothing was changed.`, 4, error)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EINVAL') return new Refusal('host-unusable', `This machine has no address ${host}: correct SEALBOOK_HOST; nothing was changed.`, 4, error)
  return error
}
