import { expect, vi } from 'vitest'
import type { Answer, Json } from '../harness/server.ts'

// Real servers and child processes on a machine that may be busy with the other test files.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/

/** An answer that is a PROBLEM of the contract, with this status and code. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body?.code, text: answer.status >= 500 ? answer.text : '' }).toMatchObject({ status, code })
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.body).toMatchObject({ type: `urn:sealbook:problem:${code}`, code, status, title: expect.any(String), detail: expect.any(String), requestId: answer.headers['x-request-id'] })
}

/** A problem document of the command line: what a script reads off stdout. */
export function expectCliProblem(document: Json, code: string | RegExp): void {
  expect(document?.problem).toMatchObject({ type: expect.stringMatching(/^urn:sealbook:problem:/), code: expect.stringMatching(code), title: expect.any(String), status: expect.any(Number), detail: expect.any(String) })
}

/** A RECORD of the contract. */
export function expectRecord(record: Json): void {
  expect(record).toMatchObject({
    id: expect.stringMatching(UUID),
    version: expect.any(Number),
    createdAt: expect.stringMatching(INSTANT),
    updatedAt: expect.stringMatching(INSTANT),
    deletedAt: null,
    ownerId: expect.stringMatching(UUID),
    masks: expect.any(Object),
    can: { edit: expect.any(Array), reveal: expect.any(Array), delete: expect.any(Boolean) },
  })
}

export const FINDING = { code: expect.stringMatching(/^[a-z0-9-]+$/), level: expect.stringMatching(/^(red|amber|info)$/), what: expect.any(String), fix: expect.any(String) }
