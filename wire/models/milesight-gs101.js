// Milesight GS101 natural gas detector: channel id, type, then the value, over and over.
// Byte table: https://github.com/Milesight-IoT/SensorDecoders (GS101), read as a description.

var SWITCH = ["close", "open"];
var GAS = ["normal", "alarm"];
var ALARMS = [
  "power_off", "power_on", "sensor_fault", "sensor_fault_recovered", "sensor_expires_soon",
  "sensor_expired",
];

// Channel and type -> bytes of the value and what becomes of them.
var CHANNELS = {
  "0367": [2, function (data, at) { return { temperature: int16(at) / 10 }; }],
  "0468": [1, function (data, at) { return { humidity: at[0] / 2 }; }],
  "058e": [1, function (data, at) { return { gas_status: word(GAS, at[0]) }; }],
  "0601": [1, function (data, at) { return { valve_status: word(SWITCH, at[0]) }; }],
  "0701": [1, function (data, at) { return { relay_output_status: word(SWITCH, at[0]) }; }],
  "0890": [4, function (data, at) { return { life_remain: uint32(at) }; }],
  "ff01": [1, function (data, at) { return { protocol_version: at[0] }; }],
  "ff09": [2, function (data, at) { return { hardware_version: hex(at) }; }],
  "ff0a": [2, function (data, at) { return { firmware_version: hex(at) }; }],
  "ff0b": [1, function () { return { device_status: "on" }; }],
  "ff0f": [1, function (data, at) { return { lorawan_class: at[0] }; }],
  "ff16": [8, function (data, at) { return { sn: hex(at) }; }],
  "ff3f": [1, function (data, at) { return { alarm: word(ALARMS, at[0]) }; }],
  "fffe": [1, function () { return { reset_event: "reset" }; }],
  "ffff": [2, function (data, at) { return { tsl_version: hex(at) }; }],
};

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var warnings = [];
  var i = 0;
  while (i < bytes.length) {
    var channel = CHANNELS[hex(bytes.slice(i, i + 2))];
    if (!channel) {
      warnings.push("unknown channel " + hex(bytes.slice(i, i + 2)) + " at byte " + i);
      break;
    }
    var at = bytes.slice(i + 2, i + 2 + channel[0]);
    if (at.length < channel[0]) {
      warnings.push("the frame ends inside channel " + hex(bytes.slice(i, i + 2)));
      break;
    }
    Object.assign(data, channel[1](data, at));
    i += 2 + channel[0];
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function word(words, value) {
  return words[value] === undefined ? "unknown_" + value : words[value];
}

function int16(at) {
  var value = at[0] | (at[1] << 8);
  return value > 0x7fff ? value - 0x10000 : value;
}

function uint32(at) {
  return at[0] + at[1] * 0x100 + at[2] * 0x10000 + at[3] * 0x1000000;
}

function hex(bytes) {
  return bytes.map(function (b) { return (b < 16 ? "0" : "") + b.toString(16); }).join("");
}
