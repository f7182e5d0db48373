// uRADMonitor INDUSTRIAL: fifty bytes, the vendor's table. Numbers are big-endian; the signed ones
// have their sign in the top bit and the size in the rest. Four gas slots name their gas.

var GASES = {
  0x2a: "o3", 0x2b: "so2", 0x2c: "no2", 0x04: "co", 0x03: "h2s", 0x02: "nh3", 0x31: "cl2",
};
var GAS_SLOTS = [29, 33, 37, 41];

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length !== 50) return { errors: ["length is " + bytes.length + ", not 50"] };
  var humidity = bytes[24] / 2;
  var resistance = number(bytes, 25, 3);
  if (humidity > 100) return { errors: ["a humidity of " + humidity + " % is none"] };
  var middle = number(bytes, 46, 2);
  var data = {
    model: "Industrial",
    hardware_version: "HW" + bytes[4],
    firmware_version: bytes[5],
    temperature: signed(bytes, 20, 2) / 100,
    pressure: number(bytes, 22, 2) + 65535,
    humidity: humidity,
    gas_resistance: resistance,
    sound: bytes[28] / 2,
    pm1: middle - bytes[45],
    pm2_5: middle,
    pm10: middle + bytes[48],
  };
  GAS_SLOTS.forEach(function (at) {
    if (GASES[bytes[at]]) data[GASES[bytes[at]]] = signed(bytes, at + 1, 3) / 1000;
  });
  if (resistance > 0) data.iaq = Math.trunc(Math.log(resistance) + 0.04 * humidity);
  return { data: data };
}

function number(bytes, at, size) {
  return bytes.slice(at, at + size).reduce(function (sum, byte) { return sum * 256 + byte; }, 0);
}

function signed(bytes, at, size) {
  var value = number(bytes, at, size);
  var top = Math.pow(256, size) / 2;
  return value >= top ? -(value - top) : value;
}
