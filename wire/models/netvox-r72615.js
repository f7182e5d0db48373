// Netvox R72615, RA0715 and relatives (gases, dust, climate): the vendor's application command,
// port 6 (reports) and 7 (answers to settings). One report type carries three of the readings;
// a sensor that is not built in says FFFF.

var DEVICES = { 5: "RA07Series", 9: "R726Series", 13: "RA07**YSeries" };
// Report type -> three of: name, divisor, signed.
var REPORTS = {
  1: [["PM1_0", 1], ["PM2_5", 1], ["PM10", 1]],
  2: [["PM1_0", 1], ["PM2_5", 1], ["PM10", 1]],
  3: [["um0_3", 1], ["um0_5", 1], ["um1_0", 1]],
  4: [["um2_5", 1], ["um5_0", 1], ["um10", 1]],
  5: [["O3", 10], ["CO", 10], ["NO", 10]],
  6: [["NO2", 10], ["SO2", 10], ["H2S", 10]],
  7: [["CO2", 10], ["NH3", 10], ["Noise", 10]],
  8: [["PH", 100], ["TempPH", 100, true], ["ORP", 1, true]],
  9: [["NTU", 10], ["TempNTU", 100, true], ["EC5SoildHumi", 100]],
  10: [["SoildHumi5TE", 100], ["SoildTemp5TE", 100, true], ["WaterLevel", 1]],
  11: [["TempLDO", 100, true], ["LDO_DO", 100], ["LDO_Sat", 10]],
  12: [["Temperature", 100, true], ["Humidity", 100], ["WindSpeed", 100]],
  13: [["WindDirection", 1]],
  14: [["VOC", 10]],
};

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 6 && input.fPort !== 7) return { errors: ["unknown port " + input.fPort] };
  var device = DEVICES[bytes[1]];
  if (device === undefined || bytes.length !== 11) {
    return { errors: ["not a frame of this sensor: device type " + bytes[1]] };
  }
  if (input.fPort === 7) return { data: { Device: device, Cmd: bytes[0] } };
  if (bytes[2] === 0) return { data: { Device: device, SWver: bytes[3] / 10, HWver: bytes[4] } };
  var report = REPORTS[bytes[2]];
  if (report === undefined) return { errors: ["unknown report type " + bytes[2]] };
  var data = { Device: device, Volt: (bytes[3] & 0x7f) / 10 };
  if (bytes[3] & 0x80) data.LowBattery = true;
  report.forEach(function (entry, n) { data[entry[0]] = value(bytes, 4 + 2 * n, entry); });
  if (bytes[2] === 13) data.Atomsphere = long(bytes);
  return { data: data };
}

function value(bytes, at, entry) {
  var word = bytes[at] * 256 + bytes[at + 1];
  if (word === 0xffff) return "NoSensor";
  return (entry[2] && word > 0x7fff ? word - 0x10000 : word) / entry[1];
}

function long(bytes) {
  var whole = ((bytes[6] * 256 + bytes[7]) * 256 + bytes[8]) * 256 + bytes[9];
  return whole === 0xffffffff ? "NoSensor" : whole / 100;
}
