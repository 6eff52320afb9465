import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'not-pooled': { status: 409, title: 'Not in a pool', en: 'It lies in no pool and cannot be claimed.', zh: '该记录不在公海中，无法领取。' },
  'already-pooled': { status: 409, title: 'Already in a pool', en: 'It lies in a pool already.', zh: '该记录已在公海中。' },
  'claim-lost': { status: 409, title: 'Claimed by somebody else', en: 'A colleague was faster; choose another one.', zh: '已被同事领取，请选择其他记录。' },
  'claim-limit': { status: 409, title: 'Claim limit reached', en: 'You hold as many records of this pool as one person may; release one first.', zh: '您持有的该公海记录已达上限，请先退回一条。' },
  'pool-in-use': { status: 409, title: 'Pool in use', en: 'Records lie in this pool; assign them first.', zh: '该公海中仍有记录，请先分配。' },
  'pool-without-keeper': { status: 409, title: 'Pool without keeper', en: 'The owner of the pool works here no more; give the pool to another owner first.', zh: '公海负责人已离职，请先更换负责人。' },
})
