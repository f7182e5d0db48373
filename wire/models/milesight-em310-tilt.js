// Milesight EM310-TILT: battery, three angles and which of them crossed its threshold.
// Layout inferred from published frames: channel 03 cf, three words of 0.01 degree, one byte of
// flags (bit 0 x, bit 1 y, bit 2 z). A frame cut short gives the words that are whole.

var AXES = ["x", "y", "z"];
// Channels without a reading: type -> bytes of the value.
var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var warnings = [];
  var i = 0;
  while (i + 1 < bytes.length) {
    var id = bytes[i];
    var type = bytes[i + 1];
    i += 2;
    if (id === 0x01 && type === 0x75 && i < bytes.length) {
      data.battery = bytes[i];
      i += 1;
    } else if (id === 0x03 && type === 0xcf) {
      angles(bytes.slice(i, i + 7), data, warnings);
      i += 7;
    } else if (id === 0xff && SYSTEM[type] !== undefined) {
      data["system_" + type] = bytes.slice(i, i + SYSTEM[type]).join(".");
      i += SYSTEM[type];
    } else {
      warnings.push("unknown channel " + id + "/" + type);
      break;
    }
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function angles(at, data, warnings) {
  AXES.forEach(function (axis, n) {
    if (at.length >= 2 * n + 2) {
      data["angle_" + axis] = (at[2 * n] | (at[2 * n + 1] << 8)) / 100;
    }
  });
  if (at.length < 7) {
    warnings.push("the frame ends inside the angles");
    return;
  }
  AXES.forEach(function (axis, n) {
    data["threshold_" + axis] = (at[6] >> n) & 1 ? "trigger" : "normal";
  });
}
