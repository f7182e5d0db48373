// Netvox R718EA and R718EB tilt sensors: the vendor's application command, port 6 (reports) and 7
// (answers to settings). 01, device type, report type, battery in 0.1 V with its low flag on top.

var DEVICES = { 0x9a: "R718EA", 0xc8: "R718EB" };

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 6 && input.fPort !== 7) return { errors: ["unknown port " + input.fPort] };
  var device = DEVICES[bytes[1]];
  if (device === undefined || bytes.length !== 11) {
    return { errors: ["not a frame of this sensor: device type " + bytes[1]] };
  }
  if (input.fPort === 7) return { data: { Device: device, Cmd: bytes[0] } };
  if (bytes[2] === 0) {
    var made = date(bytes);
    return { data: { Device: device, SWver: bytes[3] / 10, HWver: bytes[4], Datecode: made } };
  }
  if (bytes[2] !== 1) return { errors: ["unknown report type " + bytes[2]] };
  var data = { Device: device, Volt: (bytes[3] & 0x7f) / 10 };
  if (bytes[3] & 0x80) data.LowBattery = true;
  if (device === "R718EA") {
    data.AngleX = small(bytes[4]);
    data.AngleY = small(bytes[5]);
    data.AngleZ = small(bytes[6]);
    data.Temp = word(bytes, 7) / 10;
  } else {
    data.AngleX = word(bytes, 4) / 10;
    data.AngleY = word(bytes, 6) / 10;
    data.AngleZ = word(bytes, 8) / 10;
  }
  return { data: data };
}

function small(byte) {
  return byte > 127 ? byte - 256 : byte;
}

function word(bytes, i) {
  var value = bytes[i] * 256 + bytes[i + 1];
  return value > 0x7fff ? value - 0x10000 : value;
}

function date(bytes) {
  return bytes.slice(5, 9).map(digits).join("");
}

function digits(byte) {
  return ("0" + byte.toString(16)).slice(-2);
}
