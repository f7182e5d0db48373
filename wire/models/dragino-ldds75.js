// Dragino LDDS75, DDS75 and relatives: battery in mV, distance in mm (big-endian), interrupt flag,
// temperature of a probe in 0.1 degree, whether a sensor was found. Port 5 is the device's status.

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort === 5) return { data: { status: true } };
  if (input.fPort !== 2) return { errors: ["port " + input.fPort + " is none of this sensor"] };
  if (bytes.length < 5 || bytes.length > 8) {
    return { errors: ["length " + bytes.length + " is none of this sensor"] };
  }
  var distance = bytes[2] * 256 + bytes[3];
  var data = { BatV: ((bytes[0] * 256 + bytes[1]) & 0x3fff) / 1000 };
  if (distance === 0) data.Distance = "No Sensor";
  else if (distance === 20) data.Distance = "Invalid Reading";
  else data.Distance = distance + " mm";
  data.Interrupt_status = bytes[4];
  if (bytes.length >= 7) {
    var tenths = bytes[5] * 256 + bytes[6];
    data.TempC_DS18B20 = (tenths > 0x7fff ? tenths - 0x10000 : tenths) / 10;
  }
  if (bytes.length === 8) data.Sensor_flag = bytes[7];
  return { data: data };
}
