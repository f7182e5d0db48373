// uRADMonitor A3: thirty-two bytes, the vendor's table. Numbers are big-endian; the temperature
// has its sign in the top bit and the size in the rest. CH2O and O3 are in ppb.

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length !== 32) return { errors: ["length is " + bytes.length + ", not 32"] };
  var humidity = bytes[14] / 2;
  if (humidity > 100) return { errors: ["a humidity of " + humidity + " % is none"] };
  var raw = word(bytes, 10);
  return {
    data: {
      model: "A3",
      hardware_version: "HW" + bytes[4],
      firmware_version: bytes[5],
      temperature: (raw > 0x7fff ? 0x8000 - raw : raw) / 100,
      pressure: word(bytes, 12) + 65535,
      humidity: humidity,
      gas_resistance: bytes[15] * 65536 + word(bytes, 16),
      sound: bytes[18] / 2,
      co2: word(bytes, 19),
      ch20: word(bytes, 21),
      o3: word(bytes, 23),
      pm1: word(bytes, 25),
      pm2_5: word(bytes, 27),
      pm10: word(bytes, 29),
    },
  };
}

function word(bytes, i) {
  return bytes[i] * 256 + bytes[i + 1];
}
