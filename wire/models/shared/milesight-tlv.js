// What Milesight's sensors share: channel id, type, then the value, over and over. Words are
// little-endian. Byte tables: https://github.com/Milesight-IoT/SensorDecoders, as descriptions.
// All of this is run for every frame: what is not declared here costs nothing.

// `sizes`: channel (id * 256 + type) -> bytes of the value, or a function of the bytes behind the
// type that says how many. `read` takes one channel's value into the data. Channel 0xff tells of
// the device itself; what a codec does not list of it is kept as it stands.
function readChannels(bytes, sizes, read) {
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var channel = bytes[i] * 256 + bytes[i + 1];
    var size = sizes[channel];
    if (typeof size === "function") size = size(bytes.slice(i + 2), warnings);
    var own = size === undefined && bytes[i] === 0xff;
    if (own) size = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 }[bytes[i + 1]];
    var at = bytes.slice(i + 2, i + 2 + size);
    if (size === undefined || at.length < size) {
      warnings.push("unknown or cut channel " + bytes[i] + "/" + bytes[i + 1]);
      break;
    }
    if (own) data["system_" + bytes[i + 1]] = at.join(".");
    else read(channel, at, data);
    i += 2 + size;
  }
  for (var name in data) return { data: data, warnings: warnings };
  return { errors: warnings.length ? warnings : ["empty frame"] };
}

function uint16(at, i) {
  return at[i] | (at[i + 1] << 8);
}

function int16(at, i) {
  return ((at[i] | (at[i + 1] << 8)) << 16) >> 16;
}

function uint32(at, i) {
  return (at[i] | (at[i + 1] << 8) | (at[i + 2] << 16) | (at[i + 3] << 24)) >>> 0;
}

// The word for a code; what the vendor added since is still told apart.
function word(words, code) {
  return words[code] === undefined ? "unknown_" + code : words[code];
}

function addPoint(data, point) {
  (data.history = data.history || []).push(point);
}
