"""What people write into the cases of the past. The demonstration city writes Chinese."""

from __future__ import annotations

from random import Random

# By family of the category: what a report says, and what a squad says when it is done.
REPORTED = {
    "gas": ("居民闻到明显燃气味，请尽快处置", "调压箱旁有异味，周边有人员活动"),
    "manhole": ("井盖移位，夜间有安全隐患", "车辆碾压时井盖翻动", "井盖破损，行人绕行"),
    "light": ("路灯不亮，夜间出行不便", "灯杆倾斜，有倒伏风险", "灯头破损，电线外露"),
    "street": ("占道经营影响通行", "店外堆放商品，行人无法通过", "商贩聚集，环境脏乱"),
    "waste": ("垃圾清运不及时", "路边堆放建筑垃圾", "垃圾桶满溢，有异味"),
    "parking": ("人行道上乱停车辆", "共享单车堆积堵塞路口", "车辆占用消防通道"),
    "drainage": ("路段积水，车辆通行困难", "雨水箅子堵塞", "污水外溢，有异味"),
    "other": ("路面破损，存在安全隐患", "公共设施损坏，请修复", "线缆脱落垂在路边"),
}
DONE = {
    "gas": ("已关阀并更换密封件，检测无泄漏", "已更换法兰垫片，复测正常"),
    "manhole": ("井盖已复位加固", "已更换井盖并清理现场", "已加装防盗链"),
    "light": ("已更换光源，亮灯正常", "已紧固灯杆基础", "已更换电缆接头"),
    "street": ("已劝离商贩，恢复通行", "已责令店主清理占道物品", "已教育并清理"),
    "waste": ("已清运并清扫", "已通知责任单位清理完毕", "已清理冲洗"),
    "parking": ("已通知车主挪车", "已清运违停单车", "已清理通道并张贴提示"),
    "drainage": ("已疏通管道，积水退去", "已清掏雨水口", "已抽排积水，设置警示"),
    "other": ("已修补路面", "已修复并恢复使用", "已固定线缆"),
}
REJECTED = ("不属本区管辖范围", "经核实情况不属实", "与已办结案件重复")
CANCELLED = ("重复立案，予以作废", "现场已自行恢复")
RETURNED = ("不属本中队职责，申请改派", "需要专业设备，申请改派", "人员不足，申请改派")
REWORKED = ("处置不彻底，请重新处理", "照片不能反映处置结果", "现场仍有遗留问题")
POSTPONED = ("配件采购需要时间", "需协调产权单位", "天气原因无法施工")
SUSPENDED = ("涉及产权争议，待协调", "纳入改造计划统一实施", "等待专项资金")
RELEASED = "现场检测无可燃气体，同意解除"
CALLED_IN = "值班中队不足，已电话通知到岗"
REPORTERS = ("市民陈先生", "市民王女士", "市民符女士", "商户", "社区居委会", "12345 转办", "物业")


def report_of(rng: Random, family: str) -> str:
    return rng.choice(REPORTED.get(family, REPORTED["other"]))


def work_of(rng: Random, family: str) -> str:
    return rng.choice(DONE.get(family, DONE["other"]))
