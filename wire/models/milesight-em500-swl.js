// Milesight EM500-SWL submersible level sensor: channel table of the vendor's guide. Words are
// little-endian. A stored point carries its own time.

var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var id = bytes[i];
    var type = bytes[i + 1];
    var size = id === 0xff ? SYSTEM[type] : { 0x0175: 1, 0x0377: 2, 0x20ce: 6 }[id * 256 + type];
    var at = bytes.slice(i + 2, i + 2 + size);
    if (size === undefined || at.length < size) {
      warnings.push("unknown or cut channel " + id + "/" + type);
      break;
    }
    if (id === 0xff) data["system_" + type] = at.join(".");
    else if (id === 1) data.battery = at[0];
    else if (id === 3) data.depth = at[0] + at[1] * 256;
    else (data.history = data.history || []).push(point(at));
    i += 2 + size;
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function point(at) {
  var seconds = (at[0] | (at[1] << 8) | (at[2] << 16)) + at[3] * 0x1000000;
  return { timestamp: seconds, depth: at[4] + at[5] * 256 };
}
