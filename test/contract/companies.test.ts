import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type Answer, type Json, type TestServer } from '../harness/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
}, 120_000)
afterAll(() => server?.close())

const make = async (body: object): Promise<Json> => (await server.call('POST', '/companies', body)).body
async function under(id: string, parentId: string | null): Promise<Answer> {
  const { body } = await server.call('GET', `/companies/${id}`)
  return server.call('PATCH', `/companies/${id}`, { parentId }, { headers: { 'If-Match': `"${body.version}"` } })
}

test('a company stands under another, is found from there, and never under itself', async () => {
  const [top, middle, leaf] = [await make({ name: 'Top' }), await make({ name: 'Middle' }), await make({ name: 'Leaf' })]
  expect((await under(middle.id, top.id)).status).toBe(200)
  expect((await under(leaf.id, middle.id)).status).toBe(200)
  const relations = (await server.call('GET', `/companies/${middle.id}/relations`)).body.items
  expect(relations).toContainEqual({ entity: 'company', id: top.id, field: 'parentId', direction: 'to' })
  expect(relations).toContainEqual({ entity: 'company', id: leaf.id, field: 'parentId', direction: 'from' })
  for (const [id, parent] of [[top.id, top.id], [top.id, middle.id], [top.id, leaf.id], [middle.id, leaf.id]]) expect((await under(id, parent)).body).toMatchObject({ status: 409, code: 'company-circle' })
  const bulk = await server.call('POST', '/companies/bulk', { ids: [top.id], action: 'patch', patch: { parentId: leaf.id } })
  expect(bulk.body).toMatchObject({ done: 0, failed: [{ code: 'company-circle' }] })
  expect((await under(leaf.id, top.id)).status).toBe(200)
})

test('two moves at once that would close a circle together: one of them is refused', async () => {
  for (let i = 0; i < 5; i++) {
    const [a, b] = [await make({ name: `A${i}` }), await make({ name: `B${i}` })]
    const answers = await Promise.all([under(a.id, b.id), under(b.id, a.id)])
    expect(answers.map((x) => x.status).toSorted(), answers.map((x) => x.text).join()).toEqual([200, 409])
  }
})
