// use: milesight-tlv
// Milesight EM320-TILT: channel table of the vendor's guide. The lowest bit of an angle is the
// alarm of its axis, the rest 0.01 degree, signed.

var SIZES = { 0x0175: 1, 0x03d4: 6 };

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else ["x", "y", "z"].forEach(function (axis, n) {
    var value = uint16(at, 2 * n);
    var hundredths = value >> 1;
    data["angle_" + axis] = (hundredths > 0x3fff ? hundredths - 0x8000 : hundredths) / 100;
    data["threshold_" + axis] = value & 1 ? "trigger" : "normal";
  });
}
