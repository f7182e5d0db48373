// AIUT ALEVEL V2, level of an LPG tank read from its dial: six bytes, bits from the left. After a
// reserved byte: sequence number, temperature (signed), battery (2 bits), button (2 bits), profile
// (4 bits), level in 0.1 % (10 bits), six flags.

var BATTERY = ["VERY_LOW", "LOW", "DISCHARGING", "HEALTHY"];
var PROFILES = { 1: "IMR_LORA_SIGFOX", 3: "SIGFOX", 5: "SIGFOX_LORA" };

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length !== 6) return { errors: ["length is " + bytes.length + ", not 6"] };
  var level = (bytes[4] * 256 + bytes[5]) >> 6;
  var flags = bytes[5];
  if (level > 1000) return { errors: ["a level of " + level / 10 + " % is none"] };
  return {
    data: {
      sequenceNumber: bytes[1],
      temperature: bytes[2] > 127 ? bytes[2] - 256 : bytes[2],
      batteryStatus: BATTERY[bytes[3] >> 6],
      buttonLatched: (bytes[3] & 0x20) !== 0,
      isButtonPressed: (bytes[3] & 0x10) !== 0,
      currentProfile: PROFILES[bytes[3] & 15] || "UNKNOWN",
      currentLevel: level / 10,
      removedFromDial: (flags & 0x20) !== 0,
      isRefilling: (flags & 0x10) !== 0,
      highLPG: (flags & 8) !== 0,
      lowLPG: (flags & 4) !== 0,
      outOfRange: (flags & 2) !== 0,
      notValidReadout: (flags & 1) !== 0,
    },
  };
}
