// Pipiot LevelSense (ultrasonic and laser distance, tilt): kind in bits 4 to 6 of the first byte,
// flags in the second. Kind 0 gives distances in cm, kind 3 in steps of 2 mm. A distance that the
// sensor could not take is left out, with a warning.

var FLAGS = [
  "motionFlag", "dayTimerFlag", "overTempFlag", "tiltedFlag", "magSwitchFlag",
  "ultrasoundHWErrorFlag", "laserHWErrorFlag", "accelerometerHWErrorFlag",
];

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length < 2 || bytes[0] & 0x8f) return { errors: ["not a frame of this sensor"] };
  var kind = bytes[0] >> 4;
  if (kind === 3 && bytes.length === 12) return extended(bytes);
  if (kind === 0 && bytes.length >= 9 && bytes.length <= 10) return standard(bytes);
  if (kind === 1 && bytes.length >= 12) return { data: { gnssFixTime: bytes[1] } };
  if (kind === 2) return { data: { testFrames: bytes[1] } };
  return { errors: ["kind " + kind + " with " + bytes.length + " bytes is unknown"] };
}

function standard(bytes) {
  var result = { data: flags(bytes[1]), warnings: [] };
  var hindered = result.data.tiltedFlag || result.data.overTempFlag;
  take(result, "ultrasonicDistance", bytes[2], bytes[2] && !hindered);
  take(result, "laserDistance", bytes[3], bytes[3] && bytes[3] <= 200 && !hindered);
  return rest(result, bytes, 4);
}

function extended(bytes) {
  var result = { data: flags(bytes[1]), warnings: [] };
  var ultrasonic = bytes[3] * 256 + bytes[4];
  take(result, "ultrasonicDistanceExt", Math.round(ultrasonic / 5),
    ultrasonic && !result.data.ultrasoundHWErrorFlag);
  take(result, "laserDistanceExt", Math.round(bytes[5] / 5),
    bytes[5] && !result.data.laserHWErrorFlag);
  return rest(result, bytes, 6);
}

function rest(result, bytes, at) {
  var temperature = bytes[at + 2] > 127 ? bytes[at + 2] - 256 : bytes[at + 2];
  var battery = bytes[at + 4];
  result.data.laserReflectance = (bytes[at] * 256 + bytes[at + 1]) * 256;
  take(result, "temperature", temperature, temperature >= -40 && temperature <= 125);
  take(result, "tiltAngle", bytes[at + 3], bytes[at + 3] < 180 && !result.data.overTempFlag);
  take(result, "batteryVoltage", battery / 40 + 3, battery && battery <= 200);
  return result;
}

function take(result, name, value, good) {
  if (good) result.data[name] = value;
  else result.warnings.push("no " + name);
}

function flags(byte) {
  var data = {};
  FLAGS.forEach(function (name, n) { data[name] = (byte >> (7 - n)) % 2 === 1; });
  return data;
}
