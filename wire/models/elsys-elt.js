// Elsys ELT-2 and ELT Lite (and other Elsys nodes): the vendor's type table. A type byte and its
// value, big-endian. Pressure is given as the vendor's decoder does: thousandths of what is sent.

// Type -> bytes of the value.
var SIZES = {
  1: 2, 2: 1, 3: 3, 4: 2, 5: 1, 6: 2, 7: 2, 8: 2, 9: 6, 10: 2, 11: 4, 12: 2, 13: 1, 14: 2, 15: 1,
  16: 4, 17: 1, 18: 1, 19: 65, 20: 4, 21: 2, 22: 2, 23: 4, 24: 2, 25: 2, 26: 1, 27: 4, 28: 2,
  61: 4, 62: 1,
};
// Types of one number: name, signed, divisor.
var NUMBERS = {
  1: ["temperature", true, 10], 2: ["humidity", false, 1], 4: ["light", false, 1],
  5: ["motion", false, 1], 6: ["co2", false, 1], 7: ["vdd", false, 1], 8: ["analog1", false, 1],
  10: ["pulse1", false, 1], 11: ["pulseAbs1", false, 1], 12: ["externalTemperature", true, 10],
  13: ["digital", false, 1], 14: ["distance", false, 1], 15: ["accMotion", false, 1],
  17: ["occupancy", false, 1], 18: ["waterleak", false, 1], 20: ["pressure", false, 1000],
  22: ["pulse2", false, 1], 23: ["pulseAbs2", false, 1], 24: ["analog2", false, 1],
  25: ["externalTemperature2", true, 10], 26: ["digital2", false, 1], 27: ["analogUv", true, 1],
  28: ["tvoc", false, 1],
};

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes[0] === 62) return { data: { settings: true } };
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var size = SIZES[bytes[i]];
    if (size === undefined || i + 1 + size > bytes.length) {
      warnings.push("unknown or cut type " + bytes[i]);
      break;
    }
    read(bytes[i], bytes.slice(i + 1, i + 1 + size), data);
    i += 1 + size;
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

function read(type, at, data) {
  var entry = NUMBERS[type];
  if (entry) data[entry[0]] = number(at, entry[1]) / entry[2];
  else if (type === 3) {
    ["x", "y", "z"].forEach(function (axis, n) { data[axis] = number(at.slice(n, n + 1), true); });
  } else if (type === 9) {
    data.lat = number(at.slice(0, 3), true) / 10000;
    data.long = number(at.slice(3, 6), true) / 10000;
  } else if (type === 16) {
    data.irInternalTemperature = number(at.slice(0, 2), true) / 10;
    data.irExternalTemperature = number(at.slice(2, 4), true) / 10;
  } else if (type === 21) {
    data.soundPeak = at[0];
    data.soundAvg = at[1];
  }
}

function number(at, signed) {
  var value = at.reduce(function (sum, byte) { return sum * 256 + byte; }, 0);
  var span = Math.pow(256, at.length);
  return signed && value >= span / 2 ? value - span : value;
}
