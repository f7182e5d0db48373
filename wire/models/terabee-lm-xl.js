// Terabee Level Monitoring XL: distance in mm, level in per cent, battery in mV (big-endian).

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 1) return { errors: ["port " + input.fPort + " is none of this sensor"] };
  if (bytes.length !== 6) return { errors: ["length is " + bytes.length + ", not 6"] };
  if (bytes[2] > 100) return { errors: ["a level of " + bytes[2] + " % is none"] };
  return {
    data: {
      distance: bytes[0] * 256 + bytes[1],
      levelPercentage: bytes[2],
      batteryVoltage: bytes[3] * 256 + bytes[4],
    },
  };
}
