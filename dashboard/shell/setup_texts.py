"""Words that only the set-up page says; the rest comes from the catalogue of the screens."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    "zh": {
        "html_lang": "zh-CN",
        "title": "首次设置",
        "intro": "填写以下几步，先看将要建立的内容，再确认。确认之前不写入任何数据。",
        "step1": "1 城市", "code": "行政区划代码（六位数字）", "name_zh": "中文名称",
        "name_en": "英文名称", "timezone": "时区", "languages": "语言", "zh": "中文",
        "en": "英文", "datum": "坐标系", "wgs84": "WGS-84", "cgcs2000": "CGCS2000",
        "gcj02": "GCJ-02（高德、腾讯，将换算为 WGS-84）", "bd09": "BD-09（百度，将换算为 WGS-84）",
        "step2": "2 边界", "boundary": "边界文件（GeoJSON）",
        "boundary_note": "上传文件，或逐点输入角点：在下图点击，或每行写“经度, 纬度”。写了角点时"
        "不用文件。高德、百度地图的坐标有偏移，请在上面选对坐标系。",
        "corners": "角点（每行：经度, 纬度）",
        "map_centre": "图中心（经度, 纬度）", "map_width": "图宽（千米）", "map_undo": "撤销一点",
        "map_clear": "全部清除", "map_label": "边界草图：点击加角点，拖动移动角点",
        "step3": "3 区划", "names_official": "官方名称（街道、社区和村，截至 2023 年 6 月）",
        "names_file": "自己的文件", "names_later": "以后再做",
        "official_note": "按区划代码取国家统计局最后一次公布的名称和编码。其中没有位置：要生成网格"
        "，请改用带 lon,lat 的文件，或以后在“设置 · 单元网格”中补上。",
        "divisions": "divisions.csv",
        "divisions_note": "列：code,name,level,parent，可加 lon,lat,datum。",
        "levels": "层级（只在多于区、街道、社区时填写，如 district;street;community;block）",
        "step4": "4 单元网格", "grid": "生成 100 米网格（需要带位置的社区）",
        "grid_own": "自己的网格文件", "grid_later": "以后再做",
        "cells": "网格表（CSV）", "cells_note": "列：code,west,south,east,north，可加 division。"
        "编码为社区编码加三位数字。",
        "step5": "5 第一位管理员", "admin": "用户名",
        "kept": "已收到文件，重新选择可替换。",
        "look": "查看将要建立的内容",
        "step6": "6 将要建立", "password_label": "管理员密码", "found": "建立城市",
        "other_lang": "English", "other_lang_code": "en",
        "to_light": "浅色", "to_dark": "深色",
        "password": "密码须为 8 至 256 个字符。",
        "closed": "设置已完成：已有人可以登录，此页已关闭。",
        "wrong": "设置码不正确。运行 gridwarden setup-code 可取得新的设置码。",
        "too_many": "尝试次数过多，请一分钟后再试。",
        "sign_in": "登录",
    },
    "en": {
        "html_lang": "en",
        "title": "First set-up",
        "intro": "Fill in the steps, look at what will be made, then confirm. Nothing is written "
        "before that.",
        "step1": "1 City", "code": "Division code (six digits)", "name_zh": "Chinese name",
        "name_en": "English name", "timezone": "Time zone", "languages": "Languages",
        "zh": "Chinese", "en": "English", "datum": "Datum of the coordinates",
        "wgs84": "WGS-84", "cgcs2000": "CGCS2000",
        "gcj02": "GCJ-02 (Amap, Tencent; converted to WGS-84)",
        "bd09": "BD-09 (Baidu; converted to WGS-84)",
        "step2": "2 Boundary", "boundary": "Boundary file (GeoJSON)",
        "boundary_note": "Send a file, or enter the corners: click on the map below, or write "
        "“longitude, latitude”, a line each. Where there are corners, the file is not used. "
        "Coordinates from maps of Amap or Baidu are shifted: say so above.",
        "corners": "Corners (a line each: longitude, latitude)",
        "map_centre": "Centre of the map (longitude, latitude)",
        "map_width": "Width of the map (km)", "map_undo": "Undo a corner",
        "map_clear": "Clear all",
        "map_label": "Sketch of the boundary: click to add a corner, drag one to move it",
        "step3": "3 Divisions",
        "names_official": "Official names (streets, communities and villages, as of June 2023)",
        "names_file": "A file of your own", "names_later": "Later",
        "official_note": "Names and codes for the division code above, as the National Bureau of "
        "Statistics published them last. They say nothing of places: for a unit grid, send a file "
        "with lon,lat, or add these under Settings, Unit grid, afterwards.",
        "divisions": "divisions.csv",
        "divisions_note": "Columns: code,name,level,parent, as needed lon,lat,datum.",
        "levels": "Levels (only where there are more, like district;street;community;block)",
        "step4": "4 Unit grid", "grid": "Make cells of 100 m (needs communities with places)",
        "grid_own": "A grid file of your own", "grid_later": "Later",
        "cells": "Table of cells (CSV)", "cells_note": "Columns: code,west,south,east,north, as "
        "needed division. A code is that of the community and three digits.",
        "step5": "5 First administrator", "admin": "User name",
        "kept": "The file is here; choose another to replace it.",
        "look": "Look at what will be made",
        "step6": "6 What will be made", "password_label": "Password of the administrator",
        "found": "Found the city",
        "other_lang": "中文", "other_lang_code": "zh",
        "to_light": "Light", "to_dark": "Dark",
        "password": "The password must have 8 to 256 characters.",
        "closed": "Set-up is done: somebody can sign in, and this page is closed.",
        "wrong": "The set-up code is not right. `gridwarden setup-code` prints a fresh one.",
        "too_many": "Too many attempts. Try again in a minute.",
        "sign_in": "Sign in",
    },
}  # fmt: skip
