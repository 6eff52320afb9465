import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'lead-converted': { status: 409, title: 'Lead converted', en: 'It was converted already; work on with its contact, company or deal.', zh: '该线索已转化，请继续跟进对应的联系人、客户或商机。' },
})
