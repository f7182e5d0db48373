// use: milesight-tlv
// Milesight GS301 bathroom odor detector: channel table of the vendor's guide. Two words say in
// place of a gas value what hinders the sensor.

var SIZES = {
  0x0175: 1, 0x0267: 2, 0x0368: 1, 0x047d: 2, 0x057d: 2, 0x067d: 2, 0x07ea: 5,
};

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else if (channel === 0x0267) data.temperature = int16(at, 0) / 10;
  else if (channel === 0x0368) data.humidity = at[0] / 2;
  else if (channel === 0x047d) data.nh3 = gas(uint16(at, 0), 100);
  else if (channel === 0x057d) data.h2s = gas(uint16(at, 0), 100);
  else if (channel === 0x067d) data.h2s = gas(uint16(at, 0), 1000);
  else data.calibration_result = at[4];
}

function gas(value, parts) {
  if (value === 0xfffe) return "polarizing";
  return value === 0xffff ? "device error" : value / parts;
}
