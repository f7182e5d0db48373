// Milesight VS360 break-beam people counter: channel table of the vendor's guide. Words are
// little-endian. Stored points carry their own times.

var SYSTEM = { 1: 1, 9: 2, 10: 2, 11: 1, 15: 1, 22: 8, 254: 1, 255: 2 };
var SIZES = {
  0x0175: 1, 0x0275: 1, 0x03f4: 2, 0x04cc: 4, 0x05cc: 4, 0x0aef: 4, 0x84cc: 5, 0x85cc: 5,
};
var EVENTS = ["counting_anomaly", "node_without_response", "devices_misaligned"];

function decodeUplink(input) {
  var bytes = input.bytes;
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var channel = bytes[i] * 256 + bytes[i + 1];
    var size = bytes[i] === 0xff ? SYSTEM[bytes[i + 1]] : SIZES[channel];
    if (channel === 0x20ce) size = bytes[i + 6] ? 13 : 9;
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
  if (channel === 0x0175) data.battery_main = at[0];
  else if (channel === 0x0275) data.battery_node = at[0];
  else if (channel === 0x03f4) data["event_" + (EVENTS[at[0]] || at[0])] = at[1] === 1;
  else if (channel === 0x0aef) data.timestamp = seconds(at);
  else if (channel === 0x20ce) (data.history = data.history || []).push(point(at));
  else {
    var span = (channel >> 8) & 1 ? "period" : "total";
    data[span + "_in"] = word(at, 0);
    data[span + "_out"] = word(at, 2);
    if (at.length === 5) data[span + "_count_alarm"] = at[4] === 1;
  }
}

function point(at) {
  var result = { timestamp: seconds(at), period_in: word(at, 5), period_out: word(at, 7) };
  if (at.length === 13) {
    result.total_in = word(at, 9);
    result.total_out = word(at, 11);
  }
  return result;
}

function word(at, i) {
  return at[i] + at[i + 1] * 256;
}

function seconds(at) {
  return (at[0] | (at[1] << 8) | (at[2] << 16)) + at[3] * 0x1000000;
}
