// Atomsenses AS204 (CO2, NH3, H2S): channels as in frames that were published with their values;
// the same layout as other sensors of this kind: gases other than CO2 in 0.01 ppm, and two words
// that say in place of a gas value what hinders the sensor. Words are little-endian.

var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };
var SIZES = { 0x0175: 1, 0x0367: 2, 0x0468: 1, 0x077d: 2, 0x087d: 2, 0x097d: 2 };

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
  var word = at[0] + at[1] * 256;
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0367) data.temperature = (word > 0x7fff ? word - 0x10000 : word) / 10;
  else if (channel === 0x0468) data.humidity = at[0] / 2;
  else if (channel === 0x077d) data.co2 = gas(word, 1);
  else if (channel === 0x087d) data.nh3 = gas(word, 100);
  else data.h2s = gas(word, 100);
}

function gas(word, parts) {
  if (word === 0xfffe) return "polarizing";
  return word === 0xffff ? "device error" : word / parts;
}
