// use: milesight-tlv
// Milesight EM310-TILT: battery, three angles and which of them crossed its threshold.
// Layout inferred from published frames: channel 03 cf, three words of 0.01 degree, one byte of
// flags (bit 0 x, bit 1 y, bit 2 z). A frame cut short gives the words that are whole.

var AXES = ["x", "y", "z"];
var SIZES = { 0x0175: 1, 0x03cf: sizeOfAngles };

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function sizeOfAngles(rest, warnings) {
  if (rest.length < 7) warnings.push("the frame ends inside the angles");
  return Math.min(rest.length, 7);
}

function read(channel, at, data) {
  if (channel === 0x0175) data.battery = at[0];
  else AXES.forEach(function (axis, n) {
    if (at.length >= 2 * n + 2) data["angle_" + axis] = uint16(at, 2 * n) / 100;
    if (at.length === 7) data["threshold_" + axis] = (at[6] >> n) & 1 ? "trigger" : "normal";
  });
}
