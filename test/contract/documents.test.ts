import { expect, test } from 'vitest'
import { describeApp } from '../../src/app.ts'
import { mappedColumns } from '../../src/cli/docs/data-map.ts'
import { runCli } from '../harness/cli.ts'
import { createTestDatabase } from '../harness/postgres.ts'
import './shapes.ts'

test('the data map names every column of the database and none that is not there', async () => {
  const database = await createTestDatabase()
  const rows = await database.admin.query<{ name: string }>(
    `SELECT c.relname || '.' || a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped`,
  )
  await database.drop()
  expect(mappedColumns(describeApp().entities).toSorted()).toEqual(rows.map((r) => r.name).toSorted())
})

test('every generated document is the one committed', async () => {
  const done = await runCli(['docs', '--check', '--json'], { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8' })
  expect(done.json).toMatchObject({ files: expect.any(Array), stale: [] })
  expect(done.code).toBe(0)
})
