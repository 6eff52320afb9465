import type { NotTaken, PresetName } from './target.ts'

/**
 * Header words and what they mean, in the short form of targets. A header is compared without case, spaces, punctuation,
 * and marks such as （必填）; digits at its end count only where listed.
 */
export const genericWords: Readonly<Record<string, string>> = {
  fullName: 'name fullname contactname contact displayname personname 姓名 名字 全名 联系人 联系人姓名 联系人名称 客户姓名 中文名 中文姓名',
  firstName: 'firstname givenname forename fname first 名',
  middleName: 'middlename middle additionalname',
  lastName: 'lastname surname familyname lname last 姓 姓氏',
  title: 'title jobtitle position jobposition 职务 职位 职称 岗位 头衔',
  companyName: 'company companyname organization organisation organizationname organisationname organization1name employer account accountname associatedcompany primaryassociatedcompany 公司 公司名称 公司名 单位 单位名称 工作单位 企业 企业名称 所属公司 所属客户 客户公司 客户名称 所在公司',
  city: 'city mailingcity businesscity companycity 城市 所在城市 所在地 市',
  note: 'note notes remark remarks comment comments description background bio 备注 备注信息 说明 描述 备注说明',
  nationalId: 'nationalid nationalidnumber idcard idcardnumber identitycard 身份证 身份证号 身份证号码',
  stage: 'stage contactstage contactstatus customerstatus status 状态 客户状态 联系人状态 阶段',
  tags: 'tag tags label labels keywords category categories groupmembership 标签 客户标签 联系人标签 分组 关键词',
  source: 'source leadsource contactsource originalsource originalsourcetype 来源 客户来源 线索来源 联系人来源 来源渠道 获客渠道',
  collectedAt: 'firstseen created createdat createdon createddate createdtime createdate creationdate creationtime dateadded datecreated dateentered addedat addedon collectedat 创建时间 创建日期 建立时间 录入时间 录入日期 登记时间 登记日期 添加时间 收集时间 采集时间',
  'email:work': 'emailwork workemail workemailaddress businessemail companyemail 工作邮箱 公司邮箱 企业邮箱 办公邮箱 单位邮箱',
  'email:home': 'emailhome homeemail personalemail privateemail 个人邮箱 私人邮箱',
  'email:other': 'email emails emailaddress mail emailother otheremail secondaryemail alternateemail additionalemailaddresses emailvalue email1value email2address 邮箱 邮箱地址 邮件 邮件地址 电子邮件 电子邮箱 电邮 备用邮箱 其他邮箱',
  'phone:mobile': 'mobile mobilephone mobileno mobilenumber mobilephonenumber cell cellphone cellphonenumber phonemobile 手机 手机号 手机号码 移动电话 联系手机 手机电话',
  'phone:work': 'phonework workphone workphonenumber businessphone officephone companyphone companymainphone directphone 办公电话 工作电话 公司电话 单位电话 座机 座机号 固定电话 固话',
  'phone:home': 'phonehome homephone homephonenumber personalphone 家庭电话 住宅电话 私人电话',
  'phone:other': 'phone phones phonenumber phoneno tel telno telephone telephonenumber contactnumber phoneother otherphone phonevalue phone1value 电话 电话号码 联系电话 联系方式 其他电话 备用电话',
  'phone:fax': 'fax faxnumber businessfax phonefax 传真 传真号码',
  'handle:linkedin': 'linkedin linkedinurl linkedinprofile linkedinprofileurl 领英',
  'handle:wechat': 'wechat wechatid weixin 微信 微信号',
  'handle:wecom': 'wecom wecomid 企业微信 企微',
  'handle:qq': 'qq qq号 qq号码 qqnumber',
  'handle:dingtalk': 'dingtalk 钉钉 钉钉号',
  'handle:weibo': 'weibo 微博',
  'handle:twitter': 'twitter twitterhandle twitterusername twitterurl',
  'handle:skype': 'skype skypeid',
  'handle:telegram': 'telegram',
  'handle:whatsapp': 'whatsapp',
  'doNotContact:email': 'hasoptedoutofemail emailoptout optoutofemail optedoutofemail unsubscribed unsubscribedfromallemail emailunsubscribed donotemail 邮件退订 已退订 拒收邮件',
  'doNotContact:phone': 'donotcall donotphone phoneoptout 勿打电话 拒绝来电 禁止拨打',
  'doNotContact:sms': 'smsoptout donotsms donottext 拒收短信 短信退订',
  'doNotContact:post': 'donotmail donotpost 拒收邮寄',
  doNotContact: 'donotcontact optout optedout 勿扰 免打扰 请勿联系 禁止联系',
}

/** What only one system's export means, and the headers that give it away. */
export const presets: Readonly<Record<Exclude<PresetName, 'generic'>, { signs: string; words: Readonly<Record<string, string>> }>> = {
  sealbook: {
    signs: 'fullname emails phones handles companyid collectedat donotcontact nationalid',
    words: { handles: 'handles' },
  },
  hubspot: {
    signs: 'recordid lifecyclestage leadstatus createdate lastactivitydate associatedcompany associatedcompanyids marketingcontactstatus unsubscribedfromallemail originalsource contactowner',
    words: { 'phone:work': 'phonenumber', collectedAt: 'createdate', companyName: 'associatedcompany companyname' },
  },
  salesforce: {
    signs: 'accountid accountname ownerid reportstoid mailingstreet mailingcity mailingpostalcode hasoptedoutofemail leadsource lastmodifieddate systemmodstamp isdeleted',
    words: { 'phone:work': 'phone', 'email:work': 'email' },
  },
  zoho: {
    signs: 'recordid contactowner contactownerid accountname emailoptout secondaryemail createdtime modifiedtime mailingstreet unsubscribedmode unsubscribedtime',
    words: { 'phone:work': 'phone', 'email:work': 'email' },
  },
  fxiaoke: {
    signs: '客户名称 负责人 负责人主属部门 归属部门 生命状态 锁定状态 业务类型 相关团队 最后修改时间 手机1 关键决策人',
    words: { companyName: '客户名称', 'phone:mobile': '手机1 手机2 手机3', 'phone:work': '电话1 电话2 电话' },
  },
  xiaoshouyi: {
    signs: '联系人姓名 联系人所有人 客户名称 最新修改日 最新修改人 所属部门 直属上级 联系人类型',
    words: { companyName: '客户名称', 'phone:work': '电话', 'email:work': '电子邮件' },
  },
  atomic: {
    signs: 'firstseen lastseen hasnewsletter companyid salesid nbtasks linkedinurl emailwork phonework',
    words: {},
  },
}

/** Only where nothing else names the person. */
export const weakNames = ['客户名称', '客户', '名称', '称呼', 'customer', 'customername', 'client', 'clientname', 'lead', 'leadname']

/** Headers not taken, before any other meaning. */
export const refusals: readonly (readonly [NotTaken, RegExp])[] = [
  ['unnamed', /^#\d+$/],
  ['secret', /^(?:user)?(?:password|passwd|pwd)(?:hash)?$|^(?:api)?(?:token|secret)$|^apikey$|密码|口令/],
  [
    'consent-not-proven',
    /newsletter|opt(?:ed)?in|consent|gdpr|legalbasis|marketing(?:contactstatus|permission|status|preference)|^subscribed$|^subscription(?:status|type)s?$|email(?:subscription|subscribed)|是否订阅|^订阅(?:状态)?$|(?:邮件|短信)订阅|^(?:是否)?同意|(?:营销|联系|信息|数据|邮件|短信|隐私).{0,4}(?:同意|授权|许可)/,
  ],
  ['foreign-key', /^(?:associated)?(?:company|account|organi[sz]ation|sales|owner|contactowner|user|createdby|modifiedby|lastmodifiedby|parent|reportsto|campaign|deal|masterrecord|recordtype|team|photo)ids?$|^(?:公司|客户|负责人|所有人|创建人|部门)id$/i],
  ['derived', /^nb[a-z]+$|^numberof(?:associated|times|page|session|form|sales)[a-z]*$|^(?:systemmodstamp|isdeleted)$/],
]

/** Facts the law of many countries guards apart (GDPR 9, PIPL 28) and numbers that open doors: sealed apart, found by full value only. */
export const sensitiveWords =
  /idcard|identitycard|nationalid|^ssn$|socialsecurity|passport|driverslicen[cs]e|taxid|bankaccount|^iban$|creditcard|cardnumber|health|medical|religio|ethnic|disabilit|sexual|politic|身份证|证件号|护照|驾照|驾驶证|银行卡|银行账|信用卡|宗教|民族|病史|健康|政治面貌|残疾/

export const recordIdWords = new Set(['id', 'recordid', 'contactid', 'customerid', 'externalid', 'uuid', '编号', '客户编号', '联系人编号', '联系人id', '唯一性id'])

/** Labels of custom fields that many exports bring, so that both languages read well; any other is labelled by its header. */
export const labels: Readonly<Record<string, { en: string; zh: string }>> = {
  id: { en: 'Legacy ID', zh: '原系统编号' },
  gender: { en: 'Gender', zh: '性别' },
  性别: { en: 'Gender', zh: '性别' },
  birthday: { en: 'Birthday', zh: '生日' },
  birthdate: { en: 'Birthday', zh: '生日' },
  生日: { en: 'Birthday', zh: '生日' },
  department: { en: 'Department', zh: '部门' },
  部门: { en: 'Department', zh: '部门' },
  status: { en: 'Status', zh: '状态' },
  状态: { en: 'Status', zh: '状态' },
  lastseen: { en: 'Last seen', zh: '最近联系' },
  sales: { en: 'Previous owner', zh: '原负责人' },
  负责人: { en: 'Previous owner', zh: '原负责人' },
  contactowner: { en: 'Previous owner', zh: '原负责人' },
  address: { en: 'Address', zh: '地址' },
  地址: { en: 'Address', zh: '地址' },
  website: { en: 'Website', zh: '网站' },
  网站: { en: 'Website', zh: '网站' },
}

/** `First Name*`, `first_name`, `姓名（必填）` → `firstname`, `姓名`. */
export function headerWord(header: string): string {
  return header
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[([](?:必填|选填|可选|required|optional|mandatory)[^)\]]*[)\]]/g, '')
    .replace(/^#(\d+)$/, '\u0000$1')
    .replace(/[^\p{L}\p{N}\u0000]/gu, '')
    .replace('\u0000', '#')
}
