"""Words that only the page of the second factor says."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    "zh": {
        "html_lang": "zh-CN",
        "title": "双重验证",
        "why": "登录时除密码外，还要输入手机身份验证器显示的六位数字。密码泄露时，别人仍无法登录。",
        "scan": "1 用身份验证器扫描",
        "scan_note": "任何支持 TOTP 的应用均可。不能扫描时，请手动输入密钥（每 30 秒、六位）：",
        "confirm": "2 输入它显示的验证码",
        "code": "验证码",
        "turn_on": "启用",
        "later": "以后再说",
        "codes": "恢复码",
        "codes_note": "手机不在身边时，每个恢复码可代替验证码登录一次。请现在抄下或打印："
        "以后不再显示。",
        "codes_kept": "已妥善保存",
        "is_on": "双重验证已启用（{time}）。恢复码剩余 {left} 个。",
        "prove": "输入验证码或恢复码后可更改",
        "renew": "生成新的恢复码",
        "remove": "停用双重验证",
        "off": "双重验证已停用。",
        "wrong": "验证码不正确或已用过，请等下一个验证码。也请检查手机时间是否准确。",
        "too_many": "尝试次数过多，请十分钟后再试。",
        "demo": "演示账号没有双重验证。",
        "back": "返回",
    },
    "en": {
        "html_lang": "en",
        "title": "Second factor",
        "why": "To sign in, the six digits that an authenticator on your telephone shows are asked "
        "for beside the password. Whoever learns the password alone stays outside.",
        "scan": "1 Scan this with your authenticator",
        "scan_note": "Any application for TOTP does. Where it cannot scan, type the key (30 "
        "seconds, six digits):",
        "confirm": "2 Enter the code that it shows",
        "code": "Code",
        "turn_on": "Turn on",
        "later": "Later",
        "codes": "Recovery codes",
        "codes_note": "Without your telephone, each of them signs you in once. Write them down or "
        "print them now: they are never shown again.",
        "codes_kept": "I have kept them",
        "is_on": "The second factor is on since {time}. {left} recovery codes are left.",
        "prove": "Changes need a code, or a recovery code",
        "renew": "Make new recovery codes",
        "remove": "Turn the second factor off",
        "off": "The second factor is off.",
        "wrong": "This code is not right, or was used: wait for the next one. Is the clock of your "
        "telephone right?",
        "too_many": "Too many attempts. Try again in ten minutes.",
        "demo": "Demo accounts have no second factor.",
        "back": "Back",
    },
}
