// What Milesight's sensors share: channel id, type, then the value, over and over. Words are
// little-endian. Byte tables: https://github.com/Milesight-IoT/SensorDecoders, as descriptions.

// Channel 0xff tells of the device itself and holds no reading: type -> bytes of the value.
var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };

// Channels (id * 256 + type) -> bytes of the value, or a function of the bytes behind the type
// that says how many. `read` takes one channel's value into the data. What a codec does not list
// of channel 0xff is kept as it stands.
function readChannels(bytes, sizes, read) {
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var channel = bytes[i] * 256 + bytes[i + 1];
    var size = sizes[channel];
    var isSystem = size === undefined && bytes[i] === 0xff;
    if (isSystem) size = SYSTEM[bytes[i + 1]];
    else if (typeof size === "function") size = size(bytes.slice(i + 2), warnings);
    var at = bytes.slice(i + 2, i + 2 + size);
    if (size === undefined || at.length < size) {
      warnings.push("unknown or cut channel " + bytes[i] + "/" + bytes[i + 1]);
      break;
    }
    if (isSystem) data["system_" + bytes[i + 1]] = at.join(".");
    else read(channel, at, data);
    i += 2 + size;
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function uint16(at, i) {
  return at[i] + at[i + 1] * 256;
}

function int16(at, i) {
  var value = uint16(at, i);
  return value > 0x7fff ? value - 0x10000 : value;
}

function uint32(at, i) {
  return uint16(at, i) + uint16(at, i + 2) * 0x10000;
}

function int32(at, i) {
  return uint32(at, i) | 0;
}

// The word for a code; what the vendor added since is still told apart.
function word(words, code) {
  return words[code] === undefined ? "unknown_" + code : words[code];
}

function addPoint(data, point) {
  (data.history = data.history || []).push(point);
}
