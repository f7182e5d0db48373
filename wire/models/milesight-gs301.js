// Milesight GS301 bathroom odor detector: channel table of the vendor's guide. Words are
// little-endian; two of them say in place of a gas value what hinders the sensor.

var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };
var SIZES = {
  0x0175: 1, 0x0267: 2, 0x0368: 1, 0x047d: 2, 0x057d: 2, 0x067d: 2, 0x07ea: 5,
};

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
  else if (channel === 0x0267) data.temperature = (word > 0x7fff ? word - 0x10000 : word) / 10;
  else if (channel === 0x0368) data.humidity = at[0] / 2;
  else if (channel === 0x047d) data.nh3 = gas(word, 100);
  else if (channel === 0x057d) data.h2s = gas(word, 100);
  else if (channel === 0x067d) data.h2s = gas(word, 1000);
  else data.calibration_result = at[4];
}

function gas(word, parts) {
  if (word === 0xfffe) return "polarizing";
  return word === 0xffff ? "device error" : word / parts;
}
