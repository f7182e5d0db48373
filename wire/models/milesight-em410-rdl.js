// use: milesight-tlv
// Milesight EM410-RDL radar level sensor: channel table of the vendor's guide. Words are signed. A
// stored point carries its own time.

var ALARMS = ["released", "threshold", "mutation"];
var EXCEPTIONS = ["blind alarm released", "blind alarm", "no target", "sensor exception"];
var SIZES = {
  0x0175: 1, 0x0367: 2, 0x0482: 2, 0x0500: 1, 0x8482: 3, 0x9482: 5, 0xb482: 3, 0x20ce: 11,
};

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0367) data.temperature = int16(at, 0) / 10;
  else if (channel === 0x0500) data.position = at[0] === 0 ? "normal" : "tilt";
  else if (channel === 0x20ce) addPoint(data, point(at));
  else data.distance = int16(at, 0);
  if (channel === 0x8482) data.distance_alarm = ALARMS[at[2]] || "unknown";
  if (channel === 0x9482) {
    data.distance_mutation = int16(at, 2);
    data.distance_alarm = ALARMS[at[4]] || "unknown";
  }
  if (channel === 0xb482) data.distance_exception = EXCEPTIONS[at[2]] || "unknown";
}

function point(at) {
  return {
    timestamp: uint32(at, 0),
    distance: int16(at, 4),
    temperature: int16(at, 6) / 10,
    distance_mutation: int16(at, 8),
    position: (at[10] >> 6) & 1 ? "tilt" : "normal",
  };
}
