import { byRank, weighted, type Random, type Weighted } from './random.ts'
import type { Tongue } from './types.ts'

type Said = Readonly<Record<Tongue, Weighted<string>>>

const ranked = (zh: string, en: string, flatness = 3): Said => ({ zh: weighted(byRank(zh.split('|'), flatness)), en: weighted(byRank(en.split('|'), flatness)) })

const roads = ranked('示例路|样板街|演示大道|模拟巷|范例东路', 'Sample Street|Specimen Road|Example Avenue|Placeholder Lane|Template Square')

/** What the invented colleagues write. */
export const phrases = {
  industries: ranked('机械制造|电子信息|食品饮料|物流运输|医疗器械|建筑工程|教育培训|新能源|软件服务|家居用品', 'Manufacturing|Logistics|Software|Food & drink|Healthcare|Construction|Energy|Education'),
  sources: ranked('展会|官网|转介绍|电话营销|广告|公众号|老客户介绍', 'Trade fair|Website|Referral|Cold call|Webinar|Advertising', 2),
  tags: ranked('重点客户|待跟进|老客户|展会|转介绍|经销商|价格敏感|VIP', 'Key account|Follow up|Reseller|Price sensitive|Trade fair|VIP'),
  notes: ranked(
    '对新产品感兴趣，下周回访。|要求报价，数量约二百台，分两批交货。|喜欢下午沟通，先发邮件。|采购流程需三家比价。|合同即将到期，需提前一个月提醒续签。|决策人每季度来一次总部。',
    'Interested in the new line, call back next week.|Wants a quote for 200 units in two batches.|Prefers e-mail; on holiday in August.|Needs three offers to compare.|Contract ends soon, remind a month before.',
  ),
  goods: ranked('智能传感器|控制柜|软件许可|年度维保|培训服务|包装线改造|数据采集终端|冷链设备', 'Sensor kit|Control cabinet|Software licence|Annual service|Training days|Packing line upgrade|Cold chain unit'),
  lost: ranked('预算被削减|选择了竞争对手|项目暂停|价格偏高|联系人离职', 'Budget cut|Chose a competitor|Project on hold|Too expensive|Champion left'),
  disqualified: ranked('无采购需求|联系方式无效|预算不足|不在服务区域', 'No need|Cannot be reached|No budget|Outside our region'),
  call: ranked('电话沟通需求|电话确认报价|电话回访|首次电话联系', 'Call about needs|Call about the quote|Follow-up call|First call'),
  meeting: ranked('上门拜访|线上演示|方案讨论会|合同谈判|工厂参观', 'Site visit|Online demo|Workshop|Contract talks|Factory tour'),
  mail: ranked('发送产品资料|发送报价单|发送会议纪要|节日问候', 'Sent brochure|Sent quote|Sent minutes|Season’s greetings'),
  note: ranked('客户近况|竞争情况|决策链更新|价格反馈', 'Update|Competition|Who decides|Feedback on price'),
  task: ranked('准备报价|安排拜访|寄送样品|跟进合同盖章|确认付款', 'Prepare quote|Plan visit|Send samples|Chase signature|Check payment'),
  outcome: ranked('已接通，意向明确|电话无人接听|约定下周再谈|客户需内部讨论|已同意方案', 'Connected, interested|No answer|Talk again next week|Needs internal approval|Agreed'),
  bodies: ranked(
    '客户详细介绍了现有设备的情况，希望在下个季度前完成更换，要求先提供样机测试。|对方对价格略有异议，提出分期付款，已反馈给主管。|确认了技术参数，下一步由我方出具正式方案。|客户内部正在走采购流程，预计两周内有结果。|与采购负责人交流，了解到竞争对手的报价区间。',
    'They walked us through the machines they have now and want to replace them before next quarter; samples first.|Some pushback on price; asked for instalments, passed on to the manager.|Technical details are settled, our formal offer comes next.|Their purchasing process is under way, an answer is due within two weeks.|Spoke with procurement and learnt what range the competitor is in.',
  ),
  address: (from: Random, tongue: Tongue, city: string): string => (tongue === 'zh' ? `${city}市${roads.zh.draw(from)}${1 + from.below(200)}号` : `${1 + from.below(200)} ${roads.en.draw(from)}, ${city}`),
}
