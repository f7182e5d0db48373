// Decentlab DL-LP8P CO2 sensor: byte table of the vendor's user guide, section "Payload".
// 02, device id, flags, then the parts whose bits are set. Words are big-endian.

var PARTS = [
  [
    ["air_temperature", function (w) { return (175.72 * w) / 65536 - 46.85; }],
    ["air_humidity", function (w) { return (125 * w) / 65536 - 6; }],
  ],
  [
    ["barometer_temperature", function (w) { return (w - 5000) / 100; }],
    ["barometric_pressure", function (w) { return w * 2; }],
  ],
  [
    ["co2_concentration", function (w) { return w - 32768; }],
    ["co2_concentration_lpf", function (w) { return w - 32768; }],
    ["co2_sensor_temperature", function (w) { return (w - 32768) / 100; }],
    ["capacitor_voltage_1", function (w) { return w / 1000; }],
    ["capacitor_voltage_2", function (w) { return w / 1000; }],
    ["co2_sensor_status", function (w) { return w; }],
    ["raw_ir_reading", function (w) { return w; }],
    ["raw_ir_reading_lpf", function (w) { return w; }],
  ],
  [["battery_voltage", function (w) { return w / 1000; }]],
];

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length < 5 || bytes[0] !== 2) return { errors: ["not protocol version 2"] };
  var words = [];
  for (var i = 1; i + 1 < bytes.length; i += 2) words.push(bytes[i] * 256 + bytes[i + 1]);
  var parts = PARTS.filter(function (part, bit) { return (words[1] >> bit) & 1; });
  var wanted = parts.reduce(function (sum, part) { return sum + part.length; }, 2);
  if (words[1] > 15 || words.length !== wanted || bytes.length % 2 === 0) {
    return { errors: ["length does not fit the flags " + words[1]] };
  }
  var data = { protocol_version: 2, device_id: words[0] };
  var at = 2;
  parts.forEach(function (part) {
    part.forEach(function (value) { data[value[0]] = value[1](words[at++]); });
  });
  return { data: data };
}
