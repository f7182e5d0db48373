#!/bin/sh
# Sparkplug B: the bdSeq of an NDEATH is not always that of the NBIRTH it ends.
# pysparkplug 0.6.1: a clean good-bye carries one more than the birth (its will carries the same).
# mqtt-spb-wrapper 2.1.2: the will carries one less than the birth; a clean good-bye carries the
# same, but more once a device of the same process has connected (they share one counter).
# Needs python3 with venv and pip. Exits 0 while this is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in pysparkplug==0.6.1 mqtt-spb-wrapper==2.1.2; do
    venv="$folder/${package%%=*}"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$package" 2>"$folder/pip.log" ||
        { cat "$folder/pip.log" >&2; exit 2; }
done

# A broker that greets, notes wills and publications (QoS 0), and answers subscriptions.
cat >"$folder/broker.py" <<'PY'
import socket, sys, threading

def field(body, at):
    size = int.from_bytes(body[at:at + 2], "big")
    return body[at + 2:at + 2 + size], at + 2 + size

def bd_seq(payload):  # name "bdSeq", its timestamp and datatype, then the value (field 11)
    at = payload.find(b"bdSeq")
    at = payload.index(b"\x58", payload.index(b"\x20\x04", at))
    return payload[at + 1]

def note(kind, topic, payload):
    if b"NBIRTH" in topic or b"NDEATH" in topic:
        print(kind, topic.split(b"/")[2].decode(), bd_seq(payload), flush=True)

def serve(peer):
    read = peer.makefile("rb")
    while head := read.read(1):
        size = shift = 0
        while True:
            digit = read.read(1)[0]
            size |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                break
        body = read.read(size)
        packet = head[0] >> 4
        if packet == 1:
            _, at = field(body, 0)
            flags = body[at + 1]
            _, at = field(body, at + 4)
            if flags & 4:
                topic, at = field(body, at)
                payload, at = field(body, at)
                note("will", topic, payload)
            peer.sendall(b"\x20\x02\0\0")
        elif packet == 3:
            topic, at = field(body, 0)
            note("sent", topic, body[at:])
        elif packet == 8:
            peer.sendall(b"\x90\x03" + body[:2] + b"\0")
        elif packet == 12:
            peer.sendall(b"\xd0\0")

listener = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(listener.getsockname()[1]))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PY

cat >"$folder/pysparkplug.py.txt" <<'PY'
import sys, time
import pysparkplug as psp
metric = psp.Metric(timestamp=psp.get_current_timestamp(), name="voltage_v",
                    datatype=psp.DataType.FLOAT, value=1.5)
node = psp.EdgeNode("G", "n", [metric])
node.connect("127.0.0.1", port=int(sys.argv[1])); time.sleep(1)
node.disconnect(); time.sleep(0.5)
PY
cat >"$folder/mqtt-spb-wrapper.py.txt" <<'PY'
import sys, time
from mqtt_spb_wrapper import MqttSpbEntityDevice, MqttSpbEntityEdgeNode
port = int(sys.argv[1])
node = MqttSpbEntityEdgeNode("G", "n"); node.data.set_value("voltage_v", 1.5)
node.connect("127.0.0.1", port); node.publish_birth(); time.sleep(0.5)
device = MqttSpbEntityDevice("G", "n", "d"); device.data.set_value("voltage_v", 1.5)
device.connect("127.0.0.1", port); device.publish_birth(); time.sleep(0.5)
node.disconnect(); time.sleep(0.5)
PY

for name in pysparkplug mqtt-spb-wrapper; do
    rm -f "$folder/port"
    python3 "$folder/broker.py" "$folder/port" >"$folder/seen" &
    broker=$!
    until [ -s "$folder/port" ]; do sleep 0.1; done
    "$folder/$name/bin/python" "$folder/$name.py.txt" "$(cat "$folder/port")"
    kill "$broker"
    wait "$broker" 2>/dev/null || true
    "$folder/$name/bin/pip" list --disable-pip-version-check 2>/dev/null | grep -i '^\(pysparkplug\|mqtt.spb.wrapper\|paho\)'
    cat "$folder/seen"
    case $name in
        pysparkplug) expected="will NDEATH 0 sent NBIRTH 0 sent NDEATH 1" ;;
        *) expected="will NDEATH 0 sent NBIRTH 1 sent NDEATH 2" ;;
    esac
    found=$(tr '\n' ' ' <"$folder/seen" | sed 's/ $//')
    [ "$found" = "$expected" ] || { echo "$name: expected $expected" >&2; exit 1; }
done
echo "the bdSeq of deaths differs from that of births"

# Output seen:
# paho-mqtt         1.6.1
# pysparkplug       0.6.1
# will NDEATH 0
# sent NBIRTH 0
# sent NDEATH 1
# mqtt_spb_wrapper  2.1.2
# paho-mqtt         1.6.1
# will NDEATH 0
# sent NBIRTH 1
# sent NDEATH 2
# the bdSeq of deaths differs from that of births
