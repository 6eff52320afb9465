export * from './fields.ts'
export { defineEntity, snake, type AnyRecord, type BaseRecord, type CustomValues, type Entity, type PlainColumn, type RecordOf } from './entity.ts'
export { createSchema, patchSchema, viewSchema } from './schema.ts'
export { exactForm, exactKeys, findColumns, tail4Of, textsOf, type CustomFieldWords, type ExactKey, type FindColumn } from './find.ts'
