// Milesight EM400-MUD, EM400-TLD, EM400-UDL and EM310-UDL distance sensors: channel table of the
// vendor's guide. Words are little-endian. An alarm channel holds the value and an alarm byte.

// Channels without a reading: type -> bytes of the value.
var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };
var SIZES = {
  0x0175: 1, 0x0367: 2, 0x0482: 2, 0x0500: 1, 0x0688: 9, 0x8367: 3, 0x8482: 3,
};

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var channel = bytes[i] * 256 + bytes[i + 1];
    var size = read(channel, bytes.slice(i + 2), data);
    if (size < 0) {
      warnings.push("unknown or cut channel " + bytes[i] + "/" + bytes[i + 1]);
      break;
    }
    i += 2 + size;
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

// Takes one channel; the bytes of its value, or -1.
function read(channel, at, data) {
  var size = channel >> 8 === 0xff ? SYSTEM[channel & 255] : SIZES[channel];
  if (size === undefined || at.length < size) return -1;
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0367 || channel === 0x8367) data.temperature = signed(at, 0) / 10;
  else if (channel === 0x0482 || channel === 0x8482) data.distance = at[0] + at[1] * 256;
  else if (channel === 0x0500) data.position = at[0] === 0 ? "normal" : "tilt";
  else if (channel === 0x0688) {
    data.longitude = long(at, 0) / 1e6;
    data.latitude = long(at, 4) / 1e6;
  } else data["system_" + (channel & 255)] = at.slice(0, size).join(".");
  if (channel === 0x8367) data.temperature_abnormal = at[2] !== 0;
  if (channel === 0x8482) data.distance_alarming = at[2] !== 0;
  return size;
}

function signed(at, i) {
  var word = at[i] + at[i + 1] * 256;
  return word > 0x7fff ? word - 0x10000 : word;
}

function long(at, i) {
  return at[i] | (at[i + 1] << 8) | (at[i + 2] << 16) | (at[i + 3] << 24);
}
