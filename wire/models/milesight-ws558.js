// use: milesight-tlv
// Milesight WS558 light controller, eight circuits: channel table of the vendor's guide. Of the two
// bytes of switches the second says which are on.

var SIZES = { 0x0374: 2, 0x0480: 4, 0x0581: 1, 0x0683: 4, 0x07c9: 2, 0x0831: 2 };

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0374) data.voltage = uint16(at, 0) / 10;
  else if (channel === 0x0480) data.active_power = uint32(at, 0);
  else if (channel === 0x0581) data.power_factor = at[0];
  else if (channel === 0x0683) data.power_consumption = uint32(at, 0);
  else if (channel === 0x07c9) data.total_current = uint16(at, 0);
  else {
    for (var n = 0; n < 8; n += 1) data["switch_" + (n + 1)] = (at[1] >> n) & 1 ? "on" : "off";
  }
}
