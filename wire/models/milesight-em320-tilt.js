// Milesight EM320-TILT: channel table of the vendor's guide. Each angle is a little-endian word;
// its lowest bit is the alarm of its axis, the rest 0.01 degree, signed.

var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var id = bytes[i];
    var type = bytes[i + 1];
    var size = id === 0xff ? SYSTEM[type] : { 0x0175: 1, 0x03d4: 6 }[id * 256 + type];
    var at = bytes.slice(i + 2, i + 2 + size);
    if (size === undefined || at.length < size) {
      warnings.push("unknown or cut channel " + id + "/" + type);
      break;
    }
    if (id === 0xff) data["system_" + type] = at.join(".");
    else if (id === 1) data.battery = at[0];
    else angles(at, data);
    i += 2 + size;
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function angles(at, data) {
  ["x", "y", "z"].forEach(function (axis, n) {
    var word = at[2 * n] + at[2 * n + 1] * 256;
    var hundredths = word >> 1;
    data["angle_" + axis] = (hundredths > 0x3fff ? hundredths - 0x8000 : hundredths) / 100;
    data["threshold_" + axis] = word & 1 ? "trigger" : "normal";
  });
}
