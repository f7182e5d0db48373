#!/bin/sh
# "max_queued_messages 0" is "no maximum" in mosquitto.conf(5); it also closes the connection of every
# client whose QoS 1 publish is refused, even for nothing worse than a topic below $SYS. With any
# other number the client gets its PUBACK and stays.
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
cuts = {}
for limit in (0, 1000000):
    configure(f"max_queued_messages {limit}")
    broker, sender = start(), client("sender")
    sender.publish("$SYS/not/allowed", b"x", 1)
    time.sleep(1)
    cuts[limit] = sender.cut > 0
    sender.loop_stop()
    broker.kill()
    broker.wait()
print("cut off by a refusal, by max_queued_messages:", cuts)
sys.exit(cuts != {0: True, 1000000: False})
PYTHON
python3 check.py "$folder"
