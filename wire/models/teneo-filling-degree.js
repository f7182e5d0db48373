// Teneo filling-degree sensor: battery in 0.1 V above 2 V, distance in cm (big-endian), status,
// temperature and humidity in hundredths; which of them by length and port. Status 4 means that
// nothing reflects: empty beyond the range. Any other status makes the distance no measurement.

var NO_ECHO = 4;

function decodeUplink(input) {
  var bytes = input.bytes;
  var length = bytes.length;
  if (!(input.fPort >= 1 && input.fPort <= 3)) return { errors: ["unknown port " + input.fPort] };
  if (length === 0) return { errors: ["empty frame"] };
  var data = {
    sensorType: "fillrate", settingsAllowed: true, charging: input.fPort === 3,
    battery: (20 + bytes[0]) / 10,
  };
  if (input.fPort === 3) {
    data.valid = false;
    return { data: data };
  }
  if (input.fPort === 2) return length < 2 ? { errors: ["too short"] } : judged(data, bytes[1]);
  if (length !== 3 && length !== 4 && length !== 7 && length !== 8) {
    return { errors: ["length " + length + " is none of this sensor"] };
  }
  data.distance = bytes[1] * 256 + bytes[2];
  if (length > 4) {
    data.temperature = word(bytes, length - 4) / 100;
    data.relativeHumidity = word(bytes, length - 2) / 100;
  }
  return judged(data, length % 4 === 0 ? bytes[3] : 0);
}

function judged(data, status) {
  data.valid = status === 0 || status === NO_ECHO;
  if (status === NO_ECHO) data.distance = -1;
  if (!data.valid) data.errorcode = status;
  return { data: data };
}

function word(bytes, i) {
  var value = bytes[i] * 256 + bytes[i + 1];
  return value > 0x7fff ? value - 0x10000 : value;
}
