// AXsensor level sensor: a type byte, then its value, little-endian. The top bits of the type say
// how long the value is. Distance is in 0.1 mm, given here in metres as in published values; a
// fill level needs the height of the vessel, which the frame does not carry.

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 2) return { errors: ["port " + input.fPort + " is none of this sensor"] };
  var data = {};
  var warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var size = length(bytes[i]);
    if (i + 1 + size > bytes.length) {
      warnings.push("the frame ends inside type " + bytes[i]);
      break;
    }
    read(bytes[i], bytes[i + 1] + bytes[i + 2] * 256, data);
    i += 1 + size;
  }
  if (Object.keys(data).length === 0) return { errors: ["no value of a known type"] };
  return { data: data, warnings: warnings };
}

function length(type) {
  if (type < 0x40) return 0;
  if (type < 0x80) return 1;
  return type < 0xc0 ? 2 : 4;
}

function read(type, word, data) {
  var signed = word > 0x7fff ? word - 0x10000 : word;
  if (type === 0x80) data.distance = signed / 10000;
  else if (type === 0xa1) data.pressure = word * 100;
  else if (type === 0xa2) data.temperature = signed / 10;
  else if (type === 0xa3) data.relativeHumidity = (word / 1024) * 100;
  else if (type === 0xa4) data.powerSourceVoltage = word;
}
