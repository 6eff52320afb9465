import { z } from 'zod'
import { viewSchema } from '../../kernel/entity/index.ts'
import { endpoint } from '../../kernel/http/index.ts'
import { Attachment } from './attachments.entity.ts'

const id = z.object({ id: z.uuid().toLowerCase() })
const bytes = z.string()

/** What a file is put on: `contacts/{id}` as in an address, `contact/{id}`, or kind and id apart. */
export const uploadFields = z.strictObject({
  record: z.string().max(60).optional(),
  recordKind: z.string().max(20).optional(),
  recordId: z.uuid().toLowerCase().optional(),
  /** Instead of the name the file is sent with. */
  name: z.string().max(1000).optional(),
})

export const attachmentContracts = {
  upload: endpoint({
    method: 'POST',
    path: '/attachments',
    permission: 'attachments:create',
    summary: 'Put a file on a record: multipart with `record`, then `file`. The type is read from the bytes.',
    body: uploadFields.extend({ file: z.string().meta({ format: 'binary' }) }),
    response: viewSchema(Attachment),
    status: 201,
    raw: true,
  }),
  content: endpoint({ method: 'GET', path: '/attachments/:id/content', permission: 'attachments:read', summary: 'The file, or with Range a part of it.', params: id, response: bytes, produces: 'application/octet-stream' }),
  preview: endpoint({ method: 'GET', path: '/attachments/:id/preview', permission: 'attachments:read', summary: 'A small picture of a picture, made in the background.', params: id, response: bytes, produces: 'image/webp' }),
}
