import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'lost-reason-required': { status: 400, title: 'Reason required', en: 'Say in lostReason why the deal was lost.', zh: '请在 lostReason 中填写输单原因。' },
})
