import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'contract-status': { status: 409, title: 'Not from this status', en: 'The status of the contract does not allow this; read it again, or renew it to make a follow-up.', zh: '合同当前状态不允许此操作；请刷新后重试，或通过续签生成新合同。' },
})
