#!/bin/sh
# "autosave_on_changes true" with "autosave_interval 1" reads as "save after every change". Messages
# accepted for a client that is connected (in flight to it, not acknowledged by it) are no change:
# nothing is saved for them, and kill -9 loses them all. For a client that is away it saves.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# Debian 12; newer releases name some of the libraries differently.
apt-get -q download mosquitto=2.0.11-1.2+deb12u2 libcjson1 libdlt2 libwrap0 libwebsockets17 \
    libuv1 libev4 >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done
python3 -m pip install -q --disable-pip-version-check --target site paho-mqtt==2.1.0 2>/dev/null
LD_LIBRARY_PATH=$(find "$folder/root" -name '*.so*' -exec dirname {} + | sort -u | paste -sd:)
export LD_LIBRARY_PATH PYTHONPATH="$folder/site"
cat >check.py <<'PYTHON'
import os, re, signal, socket, subprocess, sys, threading, time
import paho.mqtt.client as paho

folder = sys.argv[1]
program = f"{folder}/root/usr/sbin/mosquitto"
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]


def configure(lines):
    user = "user root\n" if os.geteuid() == 0 else ""
    with open(f"{folder}/conf", "w") as file:
        file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n{user}{lines}\n")


def start():
    broker = subprocess.Popen([program, "-c", f"{folder}/conf"], stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return broker
        except OSError:
            time.sleep(0.05)
    sys.exit("the broker did not start")


def client(name, topic="", keep=False):
    made, ready = paho.Client(paho.CallbackAPIVersion.VERSION2, name, not keep), threading.Event()
    made.got, made.acks, made.cut = [], 0, 0
    made.on_message = lambda c, u, m: c.got.append(m.payload)

    def answered(c, *_):
        c.acks += 1

    def gone(c, *_):
        c.cut += 1

    made.on_publish, made.on_disconnect = answered, gone
    made.on_connect = lambda c, *_: c.subscribe(topic, 1) if topic else ready.set()
    made.on_subscribe = lambda *_: ready.set()
    made.connect("127.0.0.1", port)
    made.loop_start()
    assert ready.wait(10)
    return made


def leave(one):
    one.disconnect()
    one.loop_stop()


print(re.search(r"mosquitto version \S+", subprocess.run(
    [program, "-h"], capture_output=True, text=True).stdout).group())
configure(f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
          "autosave_on_changes true\nmax_inflight_messages 1000")
kept = {}
for state in ("away", "frozen"):
    broker = start()
    reader = client(state, f"t/{state}", keep=True)
    time.sleep(0.5)
    if state == "away":
        leave(reader)
    else:
        reader.loop_stop()  # connected, reads nothing, acknowledges nothing
    sender = client("sender")
    for number in range(200):
        sender.publish(f"t/{state}", b"%d" % number, 1)
        time.sleep(0.01)
    while sender.acks < 200:
        time.sleep(0.05)
    time.sleep(2)
    broker.send_signal(signal.SIGKILL)
    broker.wait()
    sender.loop_stop()
    broker = start()
    back = client(state, f"t/{state}", keep=True)
    time.sleep(1)
    kept[state] = len(set(back.got))
    leave(back)
    broker.terminate()
    broker.wait()
print("of 200 acknowledged messages kept two seconds later over kill -9:", kept)
sys.exit(not (kept["away"] >= 199 and kept["frozen"] == 0))
PYTHON
python3 check.py "$folder"
