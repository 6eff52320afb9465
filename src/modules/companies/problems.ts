import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'company-circle': { status: 409, title: 'Company circle', en: 'A company cannot stand under itself or under one below it.', zh: '客户不能隶属于自身或其下级客户。' },
})
