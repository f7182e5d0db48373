// Milesight WS558 light controller, eight circuits: channel table of the vendor's guide. Words are
// little-endian. Of the two bytes of switches the second says which are on.

var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };
var SIZES = { 0x0374: 2, 0x0480: 4, 0x0581: 1, 0x0683: 4, 0x07c9: 2, 0x0831: 2 };

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
  if (channel === 0x0374) data.voltage = (at[0] + at[1] * 256) / 10;
  else if (channel === 0x0480) data.active_power = long(at);
  else if (channel === 0x0581) data.power_factor = at[0];
  else if (channel === 0x0683) data.power_consumption = long(at);
  else if (channel === 0x07c9) data.total_current = at[0] + at[1] * 256;
  else {
    for (var n = 0; n < 8; n += 1) data["switch_" + (n + 1)] = (at[1] >> n) & 1 ? "on" : "off";
  }
}

function long(at) {
  return (at[0] | (at[1] << 8) | (at[2] << 16)) + at[3] * 0x1000000;
}
