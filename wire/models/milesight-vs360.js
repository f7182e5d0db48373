// use: milesight-tlv
// Milesight VS360 break-beam people counter: channel table of the vendor's guide. Stored points
// carry their own times.

var SIZES = {
  0x0175: 1, 0x0275: 1, 0x03f4: 2, 0x04cc: 4, 0x05cc: 4, 0x0aef: 4, 0x84cc: 5, 0x85cc: 5,
  0x20ce: function (rest) { return rest[4] ? 13 : 9; },
};
var EVENTS = ["counting_anomaly", "node_without_response", "devices_misaligned"];

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery_main = at[0];
  else if (channel === 0x0275) data.battery_node = at[0];
  else if (channel === 0x03f4) data["event_" + (EVENTS[at[0]] || at[0])] = at[1] === 1;
  else if (channel === 0x0aef) data.timestamp = uint32(at, 0);
  else if (channel === 0x20ce) addPoint(data, point(at));
  else {
    var span = (channel >> 8) & 1 ? "period" : "total";
    data[span + "_in"] = uint16(at, 0);
    data[span + "_out"] = uint16(at, 2);
    if (at.length === 5) data[span + "_count_alarm"] = at[4] === 1;
  }
}

function point(at) {
  var result = {
    timestamp: uint32(at, 0), period_in: uint16(at, 5), period_out: uint16(at, 7),
  };
  if (at.length === 13) {
    result.total_in = uint16(at, 9);
    result.total_out = uint16(at, 11);
  }
  return result;
}
