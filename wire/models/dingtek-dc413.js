// Dingtek DC413 manhole sensor: the bytes of the DC410 under other names, as numbers.
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
  return {
    level: bytes[5] * 256 + bytes[6],
    alarmLevel: bytes[11] >> 4 !== 0,
    alarmFall: bytes[12] >> 4 !== 0,
    alarmBattery: (bytes[12] & 15) !== 0,
    angle: (bytes[9] & 15) === 0 || bytes[10] === 0 ? bytes[10] : -bytes[10],
    temperature: bytes[8] > 127 ? bytes[8] - 256 : bytes[8],
    frameCounter: bytes[13] * 256 + bytes[14],
  };
}

function parameters(bytes) {
  return {
    uploadInterval: bytes[7],
    detectInterval: bytes[8],
    levelThreshold: bytes[9],
    fallThreshold: bytes[11],
    fallEnable: bytes[12] !== 0,
  };
}
