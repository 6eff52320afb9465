import { byRank, weighted, type Weighted } from './random.ts'

/** A name or part of one with its pinyin, without tones. */
export interface Spelt {
  han: string
  pinyin: string
}

function spelt(word: string): Spelt {
  const at = word.search(/[a-z]/)
  return { han: word.slice(0, at), pinyin: word.slice(at) }
}

/** Shares in percent of the population, after the surname statistics of the Ministry of Public Security; the long tail is estimated. */
const commonSurnames =
  '王wang7.17 李li7.00 张zhang6.74 刘liu5.10 陈chen4.61 杨yang3.22 黄huang2.45 赵zhao2.00 吴wu2.00 周zhou1.90 徐xu1.45 孙sun1.38 马ma1.29 朱zhu1.28 胡hu1.16 郭guo1.14 林lin1.13 何he1.12 高gao1.00 罗luo0.95 郑zheng0.93 梁liang0.85 谢xie0.76 宋song0.70 唐tang0.69 许xu0.66 韩han0.64 冯feng0.64 邓deng0.62 曹cao0.61 彭peng0.58 曾zeng0.58 肖xiao0.56 田tian0.52 董dong0.51 袁yuan0.50 潘pan0.50 于yu0.48 蒋jiang0.47 蔡cai0.46 余yu0.45 杜du0.45 叶ye0.43 程cheng0.42 苏su0.42 魏wei0.41 吕lv0.40 丁ding0.39 任ren0.38 沈shen0.38 姚yao0.36 卢lu0.35 姜jiang0.34 崔cui0.34 钟zhong0.32 谭tan0.31 陆lu0.30 汪wang0.30 范fan0.29 金jin0.29 石shi0.29 廖liao0.28 贾jia0.27 夏xia0.27 韦wei0.26 付fu0.26 方fang0.25 白bai0.25 邹zou0.24 孟meng0.24 熊xiong0.24 秦qin0.24 邱qiu0.23 江jiang0.23 尹yin0.22 薛xue0.22 闫yan0.21 段duan0.21 雷lei0.20 侯hou0.20 龙long0.19 史shi0.19 陶tao0.18 黎li0.18 贺he0.18 顾gu0.17 毛mao0.17 郝hao0.17 龚gong0.17 邵shao0.16 万wan0.16 钱qian0.16 严yan0.16 覃qin0.16 武wu0.15 戴dai0.15 莫mo0.14 孔kong0.14 向xiang0.14 汤tang0.13'
const rareSurnames =
  '温wen 康kang 施shi 文wen 牛niu 樊fan 葛ge 邢xing 安an 齐qi 易yi 乔qiao 伍wu 庞pang 颜yan 倪ni 庄zhuang 聂nie 章zhang 鲁lu 岳yue 翟zhai 殷yin 詹zhan 申shen 欧ou 耿geng 关guan 兰lan 焦jiao 俞yu 左zuo 柳liu 甘gan 祝zhu 包bao 宁ning 尚shang 符fu 舒shu 阮ruan 柯ke 纪ji 梅mei 童tong 凌ling 毕bi 季ji 裴pei 霍huo 涂tu 成cheng 苗miao 谷gu 盛sheng 曲qu 翁weng 冉ran 骆luo 蓝lan 路lu 游you 辛xin 靳jin 管guan 柴chai 蒙meng 鲍bao 华hua 喻yu 祁qi 蒲pu 房fang 滕teng 屈qu 饶rao 牟mu 艾ai 尤you 阳yang 时shi 穆mu 农nong 司si 卓zhuo 古gu 吉ji 缪miao 简jian 车che 项xiang 连lian 麦mai 褚chu 娄lou 窦dou 戚qi 岑cen 景jing 党dang 宫gong 费fei 卜bu 冷leng 席xi 卫wei 米mi 柏bai 宗zong 桂gui 佟tong 欧阳ouyang 上官shangguan 司徒situ 诸葛zhuge 慕容murong 皇甫huangfu 司马sima'

export const surnames: Weighted<Spelt> = weighted([
  ...commonSurnames.split(' ').map((word): [Spelt, number] => [spelt(word.replace(/[\d.]+$/, '')), Number(/[\d.]+$/.exec(word)?.[0])]),
  ...rareSurnames.split(' ').map((word, rank): [Spelt, number] => [spelt(word), Math.max(0.01, 0.12 - rank * 0.001)]),
])

/** Whole given names in order of frequency: those of the 1970s to 1990s and those of the registers since. */
const wholeNames =
  '伟wei 芳fang 娜na 敏min 静jing 秀英xiuying 丽li 强qiang 磊lei 洋yang 艳yan 勇yong 军jun 杰jie 娟juan 涛tao 超chao 明ming 霞xia 秀兰xiulan 刚gang 平ping 燕yan 辉hui 玲ling 桂英guiying 丹dan 萍ping 鹏peng 华hua 红hong 玉兰yulan 飞fei 桂兰guilan 英ying 梅mei 鑫xin 波bo 斌bin 莉li 宇yu 浩hao 秀珍xiuzhen 凯kai 秀芳xiufang 健jian 俊jun 帆fan 雪xue 帅shuai 慧hui 旭xu 宁ning 婷ting 玉梅yumei 林lin 欢huan 琳lin 海燕haiyan 建华jianhua 建国jianguo 建军jianjun 志强zhiqiang 晓燕xiaoyan 丽丽lili 婷婷tingting 国强guoqiang 志明zhiming 浩宇haoyu 子轩zixuan 梓涵zihan 欣怡xinyi 宇轩yuxuan 一诺yinuo 浩然haoran 雨桐yutong 梓萱zixuan 子涵zihan 思源siyuan 雨涵yuhan 可馨kexin 博文bowen 佳怡jiayi 俊杰junjie 诗涵shihan 宇航yuhang 沐宸muchen 浩轩haoxuan 语桐yutong 奕辰yichen 欣妍xinyan 铭泽mingze 若汐ruoxi 小明xiaoming 小红xiaohong 小龙xiaolong 晓东xiaodong 晓明xiaoming 春梅chunmei 海涛haitao 文静wenjing 玉珍yuzhen 立新lixin 少华shaohua 永强yongqiang 丽娟lijuan 金凤jinfeng 美玲meiling 雅婷yating 嘉欣jiaxin 天宇tianyu 思雨siyu'

const firstCharacters =
  '建jian 国guo 志zhi 文wen 晓xiao 小xiao 海hai 明ming 玉yu 春chun 金jin 永yong 子zi 俊jun 佳jia 雨yu 思si 梓zi 宇yu 嘉jia 家jia 丽li 秀xiu 桂gui 红hong 美mei 雪xue 诗shi 欣xin 梦meng 若ruo 一yi 天tian 伟wei 立li 德de 学xue 振zhen 庆qing 世shi 少shao 中zhong 新xin 光guang 景jing 云yun 兴xing 长chang 宏hong 正zheng 启qi 浩hao 泽ze 博bo 奕yi 睿rui 承cheng 书shu 沐mu 语yu 心xin 静jing 慧hui 爱ai 艺yi 楚chu 依yi 紫zi 安an 清qing 锦jin 瑞rui 润run 致zhi 凯kai 亚ya 青qing 东dong 大da 希xi'
const secondCharacters =
  '华hua 军jun 平ping 明ming 英ying 芳fang 兰lan 强qiang 林lin 涵han 轩xuan 宇yu 辰chen 杰jie 梅mei 玲ling 红hong 霞xia 丽li 伟wei 辉hui 峰feng 涛tao 生sheng 民min 龙long 鹏peng 飞fei 波bo 斌bin 东dong 海hai 泽ze 怡yi 琪qi 萱xuan 彤tong 桐tong 妍yan 雯wen 洁jie 婷ting 娜na 敏min 燕yan 云yun 珍zhen 琴qin 凤feng 莲lian 荣rong 祥xiang 福fu 贵gui 才cai 良liang 忠zhong 义yi 仁ren 勇yong 刚gang 健jian 康kang 宁ning 然ran 航hang 翔xiang 远yuan 博bo 文wen 武wu 源yuan 阳yang 月yue 雪xue 颖ying 莹ying 倩qian 瑶yao 悦yue'

const whole = weighted(byRank(wholeNames.split(' ').map(spelt), 12))
const first = weighted(byRank(firstCharacters.split(' ').map(spelt), 6))
const second = weighted(byRank(secondCharacters.split(' ').map(spelt), 6))
/** Share of given names drawn whole; the others are put together of two characters. */
const wholeShare = 0.45

export const givenNames = { whole, first, second, wholeShare }

/** The true probability of every given name, for the frequency attacker: both ways to one name added up. */
export function givenNameWeights(): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  const add = (name: string, p: number) => weights.set(name, (weights.get(name) ?? 0) + p)
  for (const { value, p } of whole.entries) add(value.han, p * wholeShare)
  for (const a of first.entries) for (const b of second.entries) add(a.value.han + b.value.han, a.p * b.p * (1 - wholeShare))
  return weights
}

/** The true probability of every surname. */
export function surnameWeights(): ReadonlyMap<string, number> {
  return new Map(surnames.entries.map(({ value, p }) => [value.han, p]))
}
