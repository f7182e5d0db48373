// Dingtek DC410 manhole sensor, names and texts with units as the vendor's network entry has them.
// 80, two bytes, kind, length, content, 81. Kind 3 with 25 bytes are parameters, not readings.

function decodeUplink(input) {
  var bytes = input.bytes;
  var length = bytes.length;
  if (input.fPort !== 3) return { errors: ["port " + input.fPort + " is none of this sensor"] };
  if (bytes[0] !== 0x80 || bytes[length - 1] !== 0x81 || bytes[4] !== length) {
    return { errors: ["not framed by 80 and 81, or another length than it says"] };
  }
  if (length === 17 && bytes[3] !== 3) return { data: readings(bytes) };
  if (length === 25 && bytes[3] === 3) return { data: parameters(bytes) };
  return { errors: ["kind " + bytes[3] + " with " + length + " bytes is unknown"] };
}

function readings(bytes) {
  var angle = (bytes[9] & 15) === 0 || bytes[10] === 0 ? bytes[10] : -bytes[10];
  return {
    level: bytes[5] * 256 + bytes[6] + " mm",
    full: bytes[11] >> 4 !== 0,
    motion: bytes[12] >> 4 !== 0,
    battery: (bytes[12] & 15) !== 0,
    angle: angle + " °",
    temperature: (bytes[8] > 127 ? bytes[8] - 256 : bytes[8]) + " ℃",
    frame_counter: bytes[13] * 256 + bytes[14],
  };
}

function parameters(bytes) {
  return {
    periodic_upload_interval: bytes[7] + " hours",
    periodic_detection_interval: bytes[8] + " minutes",
    full_alarm_threshold: bytes[9] + " cm",
    motion_alarm_threshold: bytes[11] + " °",
    motion_alarm_enable: bytes[12] !== 0,
    ultrasonic_range: (bytes[13] === 0 ? 2000 : 5000) + " mm",
  };
}
