// Ellenex PLS2-L submersible level sensor: eight bytes on port 15; level in bytes 3 and 4 (signed,
// big-endian), battery in 0.1 V in the last.

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 15) return { errors: ["port " + input.fPort + " is none of this sensor"] };
  if (bytes.length !== 8) return { errors: ["length is " + bytes.length + ", not 8"] };
  var level = bytes[3] * 256 + bytes[4];
  return {
    data: {
      level: level > 0x7fff ? level - 0x10000 : level,
      batteryVoltage: bytes[7] / 10,
    },
  };
}
