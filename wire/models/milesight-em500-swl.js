// use: milesight-tlv
// Milesight EM500-SWL submersible level sensor: channel table of the vendor's guide. A stored
// point carries its own time.

var SIZES = { 0x0175: 1, 0x0377: 2, 0x20ce: 6 };

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0377) data.depth = uint16(at, 0);
  else addPoint(data, { timestamp: uint32(at, 0), depth: uint16(at, 4) });
}
