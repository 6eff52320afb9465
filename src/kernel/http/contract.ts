import { z, type ZodType } from 'zod'
import type { Answer, Contract, Input, PublicRoute, Route } from './types.ts'
import type { Desk } from '../work/types.ts'
import type { FastifyReply } from 'fastify'

const nothing = z.object({})
type Nothing = typeof nothing

type Words<P extends ZodType, Q extends ZodType, B extends ZodType, R extends ZodType> = Omit<Contract<P, Q, B, R>, 'params' | 'query' | 'body'> & { params?: P; query?: Q; body?: B }

/** Declares an endpoint. Parts left out are empty. */
export function endpoint<P extends ZodType = Nothing, Q extends ZodType = Nothing, B extends ZodType = ZodType<undefined>, R extends ZodType = ZodType>(words: Words<P, Q, B, R>): Contract<P, Q, B, R> {
  return {
    ...words,
    params: words.params ?? (z.object({}) as unknown as P), // P is Nothing when it is left out
    query: words.query ?? (z.strictObject({}) as unknown as Q),
    body: words.body ?? (z.undefined() as unknown as B),
  }
}

type Erased = Contract<ZodType, ZodType, ZodType, ZodType>

/** Binds a contract to its use-case. */
export function route<P extends ZodType, Q extends ZodType, B extends ZodType, R extends ZodType>(
  contract: Contract<P, Q, B, R>,
  handle: (desk: Desk, input: Input<z.output<P>, z.output<Q>, z.output<B>>, reply: FastifyReply) => Promise<Answer<unknown>>,
  more: Pick<Route, 'again'> = {},
): Route {
  return { contract: contract as unknown as Erased, handle: handle as Route['handle'], ...more } // the door parses with this very contract before it calls
}

/** Binds a contract that works before sign-in. */
export function publicRoute<P extends ZodType, Q extends ZodType, B extends ZodType, R extends ZodType>(
  contract: Contract<P, Q, B, R>,
  handlePublic: (input: Input<z.output<P>, z.output<Q>, z.output<B>>, reply: FastifyReply) => Promise<Answer<unknown>>,
): PublicRoute {
  if (contract.permission !== 'public') throw new Error(`${contract.method} ${contract.path} is bound as public but asks for ${contract.permission}`)
  return { contract: contract as unknown as Erased, handlePublic: handlePublic as PublicRoute['handlePublic'] } // as above
}
