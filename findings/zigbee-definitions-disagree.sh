#!/bin/sh
# zigbee-herdsman-converters 26.112.0: a name of a value says neither its unit nor its words.
#
# One would read a Zigbee2MQTT state by a table of names: `pressure` is in hPa, `gas` is a flag,
# `contact` is true when something is detected. The definitions of the package disagree with each
# other, so only `bridge/devices` of the bridge itself (definition.exposes) says what a value is.
# Shown here over all 4,516 definitions:
#   - `gas` is a flag 26 times, %LEL once and cubic metres (a meter) twice
#   - three gas detectors have no `gas` at all, only gas_alarm_1 and gas_alarm_2
#   - `carbon_monoxide` is true or false, and once the words "ON" and "OFF"
#   - `gas_value` is "LEL" (3), "LEL %" (1) and ppm (1)
#   - `pressure` is kPa more often than hPa, and once a flag
#   - `power_factor` is a percentage 18 times and a ratio 21 times; `current` is in mA once
#   - `value_on` of `contact` is the JSON value false: "on" means open
set -eu
version=26.112.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts "zigbee-herdsman-converters@$version" >/dev/null 2>&1
cat >count.cjs <<'JS'
const fs = require("fs");
const path = require("path");
const zhc = require("zigbee-herdsman-converters");
const folder = path.join(path.dirname(require.resolve("zigbee-herdsman-converters")), "devices");
const gathering = new Set(["light", "switch", "fan", "cover", "lock", "climate"]);
const counts = new Map();
let definitions = 0;
let onlyNumbered = 0;

function leaves(exposes) {
  return exposes.flatMap((e) => (gathering.has(e.type) ? leaves(e.features) : [e]));
}
function told(e) {
  if (e.type === "binary") return `binary, on is ${JSON.stringify(e.value_on)}`;
  return e.type === "numeric" ? `numeric, unit ${e.unit || "none"}` : e.type;
}
for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".js"))) {
  for (const definition of require(path.join(folder, file)).definitions || []) {
    definitions += 1;
    const { exposes } = zhc.prepareDefinition(definition);
    const found = leaves(typeof exposes === "function" ? exposes({ isDummyDevice: true }, {}) : exposes)
      .filter((e) => e.access & 1 && !(e.access & 2)); // in the state, and no setting
    const names = new Set(found.map((e) => e.property));
    if (names.has("gas_alarm_1") && !names.has("gas")) onlyNumbered += 1;
    for (const e of found.filter((e) => e.property === e.name)) {
      const key = `${e.name}: ${told(e)}`;
      counts.set(key, (counts.get(key) || 0) + 1);
    }
  }
}
const wanted = ["gas", "gas_value", "carbon_monoxide", "pressure", "power_factor", "current",
  "contact"];
for (const key of [...counts.keys()].sort())
  if (wanted.includes(key.split(":")[0])) console.log(key, "-", counts.get(key));
console.log("definitions -", definitions);
console.log("gas_alarm_1 without gas -", onlyNumbered);
JS
node count.cjs | tee counts.txt
echo "zigbee-herdsman-converters $version"
for line in \
    'definitions - 4516' \
    'gas: binary, on is true - 26' 'gas: numeric, unit %LEL - 1' 'gas: numeric, unit m³ - 2' \
    'gas_alarm_1 without gas - 3' \
    'carbon_monoxide: binary, on is true - 17' 'carbon_monoxide: binary, on is "ON" - 1' \
    'gas_value: numeric, unit LEL - 3' 'gas_value: numeric, unit LEL % - 1' \
    'gas_value: numeric, unit ppm - 1' \
    'pressure: numeric, unit kPa - 26' 'pressure: numeric, unit hPa - 10' \
    'pressure: binary, on is true - 1' \
    'power_factor: numeric, unit % - 18' 'power_factor: numeric, unit none - 21' \
    'current: numeric, unit mA - 1' 'contact: binary, on is false - 128'; do
    grep -qxF -- "$line" counts.txt || {
        echo "changed: expected \"$line\"" >&2
        exit 1
    }
done
