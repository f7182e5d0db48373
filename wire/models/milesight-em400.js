// use: milesight-tlv
// Milesight EM400-MUD, EM400-TLD, EM400-UDL and EM310-UDL distance sensors: channel table of the
// vendor's guide. An alarm channel holds the value and an alarm byte.

var SIZES = {
  0x0175: 1, 0x0367: 2, 0x0482: 2, 0x0500: 1, 0x0688: 9, 0x8367: 3, 0x8482: 3,
};

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0367 || channel === 0x8367) data.temperature = int16(at, 0) / 10;
  else if (channel === 0x0482 || channel === 0x8482) data.distance = uint16(at, 0);
  else if (channel === 0x0500) data.position = at[0] === 0 ? "normal" : "tilt";
  else {
    data.longitude = (uint32(at, 0) | 0) / 1e6;
    data.latitude = (uint32(at, 4) | 0) / 1e6;
  }
  if (channel === 0x8367) data.temperature_abnormal = at[2] !== 0;
  if (channel === 0x8482) data.distance_alarming = at[2] !== 0;
}
