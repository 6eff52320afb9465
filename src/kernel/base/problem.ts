export type Locale = 'zh-CN' | 'en'

interface ProblemText {
  status: number
  title: string
  en: string
  zh: string
}

const table = new Map<string, ProblemText>()

/** Declares published problem codes. `en` and `zh` say what to do next and never hold a value. Throws at import when a code is declared twice. */
export function defineProblems(problems: Record<string, ProblemText>): void {
  for (const [code, text] of Object.entries(problems)) {
    if (table.has(code)) throw new Error(`problem code ${code} is declared twice`)
    table.set(code, text)
  }
}

export function problemCodes(): ReadonlyMap<string, Readonly<ProblemText>> {
  return table
}

/** One error for every expected refusal (RFC 9457). Anything thrown that is not a Problem leaves as a 500 with an id and nothing more. */
export class Problem extends Error {
  readonly code: string
  readonly status: number
  readonly errors: readonly { path: string; code: string }[] | undefined
  /** Extra members and headers of the answer; never a personal value. */
  readonly extra: Readonly<Record<string, string | number | boolean>>

  constructor(code: string, options: { errors?: readonly { path: string; code: string }[]; extra?: Record<string, string | number | boolean>; cause?: unknown } = {}) {
    const text = table.get(code)
    if (!text) throw new Error(`problem code ${code} is not declared`)
    super(code, { cause: options.cause })
    this.name = 'Problem'
    this.code = code
    this.status = text.status
    this.errors = options.errors
    this.extra = options.extra ?? {}
  }

  toJSON(requestId: string, locale: Locale): Record<string, unknown> {
    const text = table.get(this.code)!
    return {
      type: `urn:sealbook:problem:${this.code}`,
      code: this.code,
      title: text.title,
      status: this.status,
      detail: locale === 'zh-CN' ? text.zh : text.en,
      requestId,
      ...(this.errors ? { errors: this.errors } : {}),
      ...this.extra,
    }
  }
}

/** A refusal of the command line or of start-up: one sentence that says what to do, and the exit code of the contract. */
export class Refusal extends Error {
  readonly exitCode: 1 | 2 | 3 | 4 | 5
  readonly code: string

  constructor(code: string, message: string, exitCode: 1 | 2 | 3 | 4 | 5 = 4, cause?: unknown) {
    super(message, { cause })
    this.name = 'Refusal'
    this.code = code
    this.exitCode = exitCode
  }
}

defineProblems({
  invalid: { status: 400, title: 'Invalid request', en: 'Correct the fields named in errors and send it again.', zh: '请按 errors 中列出的字段修正后重新提交。' },
  'field-unknown': { status: 400, title: 'Unknown field', en: 'Use only fields you can see; the list is in the API description.', zh: '请只使用您可见的字段；字段列表见接口说明。' },
  'signed-out': { status: 401, title: 'Signed out', en: 'Sign in, or send a valid token.', zh: '请登录，或提供有效的令牌。' },
  'permission-missing': { status: 403, title: 'Permission missing', en: 'Ask an administrator for a role that includes this action.', zh: '请联系管理员授予包含此操作的角色。' },
  'step-up-required': { status: 403, title: 'Fresh factor required', en: 'Confirm your second factor again, then repeat within five minutes.', zh: '请重新验证第二因素，并在五分钟内重试。' },
  'not-found': { status: 404, title: 'Not found', en: 'It does not exist, or you may not see it.', zh: '记录不存在，或您无权查看。' },
  'method-not-allowed': { status: 405, title: 'Method not allowed', en: 'Use a method of the API description.', zh: '请使用接口说明中的方法。' },
  conflict: { status: 409, title: 'Conflict', en: 'The current state does not allow this; reload and try again.', zh: '当前状态不允许此操作；请刷新后重试。' },
  'version-stale': { status: 412, title: 'Changed by someone else', en: 'Read it again, merge your change, and send it with the current version.', zh: '记录已被他人修改：请重新读取，合并后用当前版本提交。' },
  'body-too-large': { status: 413, title: 'Too large', en: 'Send less in one request.', zh: '请减少单次提交的内容。' },
  'media-type-unsupported': { status: 415, title: 'Unsupported media type', en: 'Send application/json, or multipart/form-data for a file.', zh: '请使用 application/json；上传文件请使用 multipart/form-data。' },
  'idempotency-key-reused': { status: 422, title: 'Idempotency-Key reused', en: 'Use a new Idempotency-Key for a different body.', zh: '不同的请求内容请使用新的 Idempotency-Key。' },
  'if-match-required': { status: 428, title: 'If-Match required', en: 'Send If-Match with the version you read.', zh: '请在 If-Match 中带上您读取到的版本。' },
  rate: { status: 429, title: 'Too many requests', en: 'Wait for the seconds in Retry-After.', zh: '请等待 Retry-After 指定的秒数后重试。' },
  'key-unavailable': { status: 503, title: 'Key unavailable', en: 'The record stays sealed until its key can be used; ask the operator to run doctor.', zh: '密钥不可用，记录保持加密；请联系运维人员运行 doctor。' },
  'ledger-unavailable': { status: 503, title: 'Ledger unavailable', en: 'Nothing is shown or changed while it cannot be recorded; try again, or ask the operator to run doctor.', zh: '审计账本不可用，暂不显示或修改任何内容；请稍后重试，或联系运维人员运行 doctor。' },
  'database-unavailable': { status: 503, title: 'Database unavailable', en: 'Try again shortly; if it lasts, ask the operator to run doctor.', zh: '数据库不可用，请稍后重试；如持续出现，请联系运维人员运行 doctor。' },
  'database-damaged': { status: 503, title: 'Database damaged', en: 'A file of the database is damaged: ask the operator to run doctor and to restore the last backup.', zh: '数据库文件已损坏：请联系运维人员运行 doctor 并恢复最近的备份。' },
  'seal-broken': { status: 503, title: 'Record damaged', en: 'This record does not match its seal and is not shown; the operator has been alerted.', zh: '此记录与其封印不符，已拒绝显示并已报警。' },
  'lens-warming': { status: 503, title: 'Search is warming up', en: 'Search by text is ready in a moment; exact look-ups work already.', zh: '全文检索正在预热，请稍候；精确查询已可用。' },
  'shutting-down': { status: 503, title: 'Shutting down', en: 'Try again in a moment.', zh: '服务正在停止，请稍后重试。' },
  internal: { status: 500, title: 'Internal error', en: 'Tell the operator the requestId.', zh: '请将 requestId 告知运维人员。' },
})
