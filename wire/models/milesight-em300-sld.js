// Milesight EM300-SLD/ZLD/MLD water leak sensors: battery, temperature, humidity, leak, and
// stored points. Byte table: https://github.com/Milesight-IoT/SensorDecoders, as a description.

var LEAK = ["normal", "leak"];
// Channels without a reading: type -> bytes of the value.
var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var history = [];
  var warnings = [];
  var i = 0;
  while (i + 1 < bytes.length) {
    var key = bytes[i] * 256 + bytes[i + 1];
    var at = bytes.slice(i + 2);
    var used = 0;
    if (key === 0x0175 && at.length >= 1) {
      data.battery = at[0];
      used = 1;
    } else if (key === 0x0367 && at.length >= 2) {
      data.temperature = int16(at) / 10;
      used = 2;
    } else if (key === 0x0468 && at.length >= 1) {
      data.humidity = at[0] / 2;
      used = 1;
    } else if ((key === 0x0500 || key === 0x0600) && at.length >= 1) {
      data.leakage_status = word(at[0]);
      used = 1;
    } else if (key === 0x20ce && at.length >= 8) {
      history.push(point(at));
      used = 8;
    } else if (bytes[i] === 0xff && SYSTEM[bytes[i + 1]] !== undefined) {
      data["system_" + bytes[i + 1]] = at.slice(0, SYSTEM[bytes[i + 1]]).join(".");
      used = SYSTEM[bytes[i + 1]];
    } else {
      warnings.push("unknown or cut channel at byte " + i);
      break;
    }
    i += 2 + used;
  }
  if (history.length) data.history = history;
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function point(at) {
  return {
    timestamp: at[0] + at[1] * 0x100 + at[2] * 0x10000 + at[3] * 0x1000000,
    temperature: int16(at.slice(4)) / 10,
    humidity: at[6] / 2,
    leakage_status: word(at[7]),
  };
}

function word(value) {
  return LEAK[value] === undefined ? "unknown_" + value : LEAK[value];
}

function int16(at) {
  var value = at[0] | (at[1] << 8);
  return value > 0x7fff ? value - 0x10000 : value;
}
