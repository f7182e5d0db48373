// use: milesight-tlv
// Milesight EM300-SLD/ZLD/MLD water leak sensors: battery, temperature, humidity, leak, and
// stored points.

var LEAK = ["normal", "leak"];
var SIZES = { 0x0175: 1, 0x0367: 2, 0x0468: 1, 0x0500: 1, 0x0600: 1, 0x20ce: 8 };

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0367) data.temperature = int16(at, 0) / 10;
  else if (channel === 0x0468) data.humidity = at[0] / 2;
  else if (channel === 0x20ce) addPoint(data, point(at));
  else data.leakage_status = word(LEAK, at[0]);
}

function point(at) {
  return {
    timestamp: uint32(at, 0),
    temperature: int16(at, 4) / 10,
    humidity: at[6] / 2,
    leakage_status: word(LEAK, at[7]),
  };
}
