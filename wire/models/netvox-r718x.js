// Netvox R718X (distance, fill level, temperature, inclination) and R718PE: the vendor's
// application command, port 6 (reports) and 7 (answers to settings). Words are big-endian.

var DEVICES = { 0x34: "R718X", 0xb1: "R718PE" };

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 6 && input.fPort !== 7) return { errors: ["unknown port " + input.fPort] };
  var device = DEVICES[bytes[1]];
  if (device === undefined || bytes.length !== 11) {
    return { errors: ["not a frame of this sensor: device type " + bytes[1]] };
  }
  if (input.fPort === 7) return { data: { Device: device, Cmd: bytes[0] } };
  if (bytes[2] === 0) return { data: { Device: device, SWver: bytes[3] / 10, HWver: bytes[4] } };
  var data = { Device: device, Volt: (bytes[3] & 0x7f) / 10 };
  if (bytes[3] & 0x80) data.LowBattery = true;
  data.Status = bytes[4] === 0 ? "OFF" : "ON";
  data.Distance = bytes[5] * 256 + bytes[6];
  data.FillLevel = device === "R718X" ? bytes[9] : bytes[7];
  if (device === "R718X") {
    var temperature = bytes[7] * 256 + bytes[8];
    data.Temp = (temperature > 0x7fff ? temperature - 0x10000 : temperature) / 10;
    data.AngleOfInclination = bytes[10];
  }
  return { data: data };
}
