#!/bin/sh
# apprise 2.3.0: the robots of WeCom and DingTalk answer 200 to what they refuse, with the reason as
# a number in the body. apprise looks at 200 alone and says that the message was sent; of Feishu's
# robot it reads the number.
# Needs python3 with venv and pip. Exits 0 while this is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apprise==2.3.0 \
    2>"$folder/pip.log" || { cat "$folder/pip.log" >&2; exit 2; }
cat >"$folder/robots.py" <<'PY'
import json, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
import apprise
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot

class Refuses(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"errcode": 45009, "code": 11232, "errmsg": "too many"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

server = HTTPServer(("127.0.0.1", 0), Refuses)
threading.Thread(target=server.serve_forever, daemon=True).start()
for robot in (NotifyWeComBot, NotifyDingTalk, NotifyFeishu):
    robot.notify_url = "http://127.0.0.1:%d/" % server.server_address[1]

def sent(address):
    sender = apprise.Apprise()
    assert sender.add(address), address
    return bool(sender.notify(body="text"))

said = [sent("wecombot://key1/"), sent("dingtalk://token1/"), sent("feishu://token1/")]
print("refused, and apprise says sent (WeCom, DingTalk, Feishu):", said)
assert said == [True, True, False], said
PY
"$folder/venv/bin/python" -W ignore "$folder/robots.py"
