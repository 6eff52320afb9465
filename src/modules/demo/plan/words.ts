import { byRank, weighted } from './random.ts'

function ranked(words: string, flatness: number) {
  return weighted(byRank(words.split(' '), flatness))
}

/** English names in order of frequency (US census and birth registers). */
export const english = {
  first: ranked(
    'James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph Jessica Thomas Sarah Christopher Karen Charles Lisa Daniel Nancy Matthew Betty Anthony Sandra Mark Margaret Donald Ashley Steven Kimberly Andrew Emily Paul Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Melissa George Deborah Timothy Stephanie Ronald Rebecca Jason Sharon Edward Laura Jeffrey Cynthia Ryan Dorothy Jacob Amy Gary Kathleen Nicholas Angela Eric Shirley Jonathan Emma Stephen Brenda Larry Pamela Justin Nicole Scott Anna Brandon Samantha Benjamin Katherine Samuel Christine Gregory Helen Alexander Debra Patrick Rachel Frank Carolyn Raymond Janet Jack Maria Dennis Catherine Jerry Heather',
    14,
  ),
  last: ranked(
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster O'Brien",
    4,
  ),
  cities: ranked('London Manchester Dublin Boston Chicago Seattle Toronto Austin Denver Sydney Melbourne Auckland Leeds Bristol Portland Atlanta', 6),
  titles: ranked('Manager,Sales Director,Engineer,Buyer,CEO,Head of Procurement,Office Manager,Accountant,CTO,Operations Manager,Marketing Manager,Partner'.replaceAll(' ', '_').replaceAll(',', ' '), 4),
  companyFirst: ranked('North Bright Silver Summit River Harbour Granite Maple Falcon Orchard Beacon Copper Meadow Atlas Sterling Cedar Ember Willow Quartz Delta', 10),
  companySecond: ranked('field stone bridge wood point gate ford works line mark brook land wave port crest', 10),
  companyKind: ranked('Ltd Inc Group & Sons Partners Logistics Systems Foods Labs Holdings', 4),
  notes: ['Met at the spring fair, asked for samples.', 'Prefers e-mail; on holiday in August.', 'Wants a quote for 200 units, delivery in two batches.', 'Left a message, call back on Tuesday.'],
}

/** Chinese places, posts and firms. */
export const chinese = {
  cities: ranked('上海 北京 深圳 广州 杭州 成都 苏州 南京 武汉 重庆 天津 西安 宁波 青岛 长沙 郑州 东莞 佛山 无锡 合肥 厦门 济南 福州 大连 沈阳 昆明 哈尔滨 温州 泉州 南昌', 4),
  titles: ranked('销售经理 采购经理 总经理 工程师 销售代表 市场总监 财务主管 行政主管 技术总监 项目经理 董事长 运营经理 人事经理 采购主管 副总经理 店长 产品经理 客户经理', 6),
  fancy: ranked('星河 华信 恒远 博瑞 天成 鼎盛 嘉禾 中泰 金桥 万通 瑞丰 海纳 远大 智联 云帆 卓越 汇通 东方 新锐 百川 宏图 安泰 佳源 润泽 德邦 启明 盛世 凌云 明德 兴业 长青 泰和 晨光 四海 众诚 紫光 银河 蓝天 绿洲 创想', 12),
  trades: ranked('科技 贸易 信息技术 电子 机械 食品 医疗器械 物流 教育咨询 建筑工程 服饰 文化传媒 化工 汽车配件 环保科技 软件 农业 家居用品 包装材料 新能源', 6),
  forms: ranked('有限公司 股份有限公司 有限责任公司 集团有限公司', 0),
  tags: ranked('老客户 重点客户 展会 转介绍 VIP 待跟进 经销商 价格敏感 技术型 节日问候', 3),
  sources: ranked('展会 官网 转介绍 电话营销 广告 老客户介绍 公众号', 2),
  notes: ['展会上认识，对新产品感兴趣，下周回访。', '要求报价，数量约二百台，分两批交货。', '电话无人接听，改天再联系。', '喜欢下午沟通，先发邮件。', '合同即将到期，需提前一个月提醒续签。'],
  /** Reads as a valid mobile number in libphonenumber, all operators. */
  mobilePrefixes: '130 131 132 133 135 136 137 138 139 150 151 152 155 156 157 158 159 166 173 175 176 177 178 180 181 182 183 185 186 187 188 189 191 198 199'.split(' '),
  /** Area code and length of the local number. */
  landlines: '010 8,021 8,0755 8,020 8,0571 8,028 8,0512 8,025 8,027 8,023 8'.split(',').map((entry) => entry.split(' ')[0] ?? ''),
}
