"""Words that only the sign-in page says; the rest comes from the catalogue of the screens."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    "zh": {
        "html_lang": "zh-CN",
        "title": "登录",
        "name": "用户名",
        "password": "密码",
        "submit": "登录",
        "other_lang": "English",
        "other_lang_code": "en",
        "to_light": "浅色",
        "to_dark": "深色",
        "demo": "演示账号",
        "demo_note": "演示数据，非真实情况。点击即可登录。",
        "wrong": "用户名或密码不正确。",
        "too_many": "尝试次数过多，请一分钟后再试。",
        "database_away": "数据库暂时无法访问，请稍后再试。",
    },
    "en": {
        "html_lang": "en",
        "title": "Sign in",
        "name": "User name",
        "password": "Password",
        "submit": "Sign in",
        "other_lang": "中文",
        "other_lang_code": "zh",
        "to_light": "Light",
        "to_dark": "Dark",
        "demo": "Demo accounts",
        "demo_note": "Made-up data, no real situation. One click signs in.",
        "wrong": "User name or password is not right.",
        "too_many": "Too many attempts. Try again in a minute.",
        "database_away": "The database does not answer. Try again in a moment.",
    },
}
