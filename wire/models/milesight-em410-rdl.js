// Milesight EM410-RDL radar level sensor: channel table of the vendor's guide. Words are
// little-endian and signed. A stored point carries its own time.

var ALARMS = ["released", "threshold", "mutation"];
var EXCEPTIONS = ["blind alarm released", "blind alarm", "no target", "sensor exception"];
// Channel -> bytes of the value; those of 0xff by their type, none of them a reading.
var SIZES = {
  0x0175: 1, 0x0367: 2, 0x0482: 2, 0x0500: 1, 0x8482: 3, 0x9482: 5, 0xb482: 3, 0x20ce: 11,
};
var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var channel = bytes[i] * 256 + bytes[i + 1];
    var size = bytes[i] === 0xff ? SYSTEM[bytes[i + 1]] : SIZES[channel];
    var at = bytes.slice(i + 2, i + 2 + size);
    if (size === undefined || at.length < size) {
      warnings.push("unknown or cut channel " + bytes[i] + "/" + bytes[i + 1]);
      break;
    }
    if (bytes[i] === 0xff) data["system_" + bytes[i + 1]] = at.join(".");
    else read(channel, at, data);
    i += 2 + size;
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0367) data.temperature = word(at, 0) / 10;
  else if (channel === 0x0500) data.position = at[0] === 0 ? "normal" : "tilt";
  else if (channel === 0x20ce) (data.history = data.history || []).push(point(at));
  else data.distance = word(at, 0);
  if (channel === 0x8482) data.distance_alarm = ALARMS[at[2]] || "unknown";
  if (channel === 0x9482) {
    data.distance_mutation = word(at, 2);
    data.distance_alarm = ALARMS[at[4]] || "unknown";
  }
  if (channel === 0xb482) data.distance_exception = EXCEPTIONS[at[2]] || "unknown";
}

function point(at) {
  return {
    timestamp: (at[0] | (at[1] << 8) | (at[2] << 16)) + at[3] * 0x1000000,
    distance: word(at, 4),
    temperature: word(at, 6) / 10,
    distance_mutation: word(at, 8),
    position: (at[10] >> 6) & 1 ? "tilt" : "normal",
  };
}

function word(at, i) {
  var value = at[i] + at[i + 1] * 256;
  return value > 0x7fff ? value - 0x10000 : value;
}
