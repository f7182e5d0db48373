// Yobiiq EM4301 and EM4301-CT three-phase meters: register table of the vendor. Each value is a
// channel byte, a register, and its bytes, big-endian. The table gives kW for register 24; the
// frames that were published show that it counts watts.

// Register -> name, bytes, divisor, signed.
var REGISTERS = {
  0x00: ["index", 4], 0x01: ["timestamp", 4], 0x03: ["dataloggerTimestamp", 4],
  0x04: ["activeEnergyImportL123T1", 4], 0x05: ["activeEnergyImportL123T2", 4],
  0x06: ["activeEnergyExportL123T1", 4], 0x07: ["activeEnergyExportL123T2", 4],
  0x08: ["reactiveEnergyImportL123T1", 4], 0x09: ["reactiveEnergyImportL123T2", 4],
  0x0a: ["reactiveEnergyExportL123T1", 4], 0x0b: ["reactiveEnergyExportL123T2", 4],
  0x0c: ["voltageL1N", 4, 10, true], 0x0d: ["voltageL2N", 4, 10, true],
  0x0e: ["voltageL3N", 4, 10, true], 0x0f: ["currentL123", 4, 1, true],
  0x10: ["currentL1", 4, 1, true], 0x11: ["currentL2", 4, 1, true],
  0x12: ["currentL3", 4, 1, true], 0x13: ["activePowerL123", 4, 1, true],
  0x14: ["activePowerL1", 4, 1, true], 0x15: ["activePowerL2", 4, 1, true],
  0x16: ["activePowerL3", 4, 1, true], 0x17: ["reactivePowerL1", 4, 1000, true],
  0x18: ["reactivePowerL2", 4, 1000, true], 0x19: ["reactivePowerL3", 4, 1000, true],
  0x1a: ["apparentPowerL1", 4, 1000, true], 0x1b: ["apparentPowerL2", 4, 1000, true],
  0x1c: ["apparentPowerL3", 4, 1000, true], 0x1d: ["powerFactorL1", 1, 100, true],
  0x1e: ["powerFactorL2", 1, 100, true], 0x1f: ["powerFactorL3", 1, 100, true],
  0x20: ["phaseAngleL1", 2, 100, true], 0x21: ["phaseAngleL2", 2, 100, true],
  0x22: ["phaseAngleL3", 2, 100, true], 0x23: ["frequency", 2, 100, true],
  0x24: ["totalSystemActivePower", 4], 0x25: ["totalSystemReactivePower", 4, 1000],
  0x26: ["totalSystemApparentPower", 4, 1000], 0x27: ["maximumL1CurrentDemand", 4, 1, true],
  0x28: ["maximumL2CurrentDemand", 4, 1, true], 0x29: ["maximumL3CurrentDemand", 4, 1, true],
  0x2a: ["averagePower", 4, 1, true], 0x2b: ["midYearOfCertification", 4],
};
// Registers of digits: two a byte, or a version.
var DIGITS = { 0xf0: "manufacturedYear" };
var VERSIONS = { 0xf1: "firmwareVersion", 0xf2: "hardwareVersion" };

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort === 50) return { data: { info: hex(bytes) } };
  if (input.fPort > 10) return { errors: ["port " + input.fPort + " is none of this meter"] };
  if (bytes.length === 1) return { data: { info: hex(bytes) } };
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var size = read(bytes, i + 2, bytes[i + 1], data);
    if (size === 0) {
      warnings.push("unknown or cut register " + bytes[i + 1]);
      break;
    }
    i += 2 + size;
  }
  if (Object.keys(data).length === 0) {
    return { errors: warnings.length ? warnings : ["empty frame"] };
  }
  return { data: data, warnings: warnings };
}

// Takes one register; the bytes of its value, or 0.
function read(bytes, at, register, data) {
  var entry = REGISTERS[register];
  var size = entry ? entry[1] : 2;
  if (!(entry || DIGITS[register] || VERSIONS[register]) || at + size > bytes.length) return 0;
  var part = bytes.slice(at, at + size);
  if (DIGITS[register]) data[DIGITS[register]] = parseInt(hex(part), 10);
  else if (VERSIONS[register]) data[VERSIONS[register]] = "V" + part.join(".");
  else data[entry[0]] = round(number(part, entry[3]) / (entry[2] || 1));
  return size;
}

function number(part, signed) {
  var value = part.reduce(function (sum, byte) { return sum * 256 + byte; }, 0);
  var span = Math.pow(256, part.length);
  return signed && value >= span / 2 ? value - span : value;
}

// The vendor's own precision: two digits.
function round(value) {
  return Math.round(value * 100) / 100;
}

function hex(part) {
  return part.map(function (byte) { return ("0" + byte.toString(16)).slice(-2); }).join("");
}
