// use: milesight-tlv
// Milesight GS101 natural gas detector. Byte table: GS101 of the vendor's list of decoders.

var SWITCH = ["close", "open"];
var GAS = ["normal", "alarm"];
var ALARMS = [
  "power_off", "power_on", "sensor_fault", "sensor_fault_recovered", "sensor_expires_soon",
  "sensor_expired",
];
var SIZES = {
  0x0367: 2, 0x0468: 1, 0x058e: 1, 0x0601: 1, 0x0701: 1, 0x0890: 4, 0xff01: 1, 0xff09: 2,
  0xff0a: 2, 0xff0b: 1, 0xff0f: 1, 0xff16: 8, 0xff3f: 1, 0xfffe: 1, 0xffff: 2,
};

function decodeUplink(input) {
  return readChannels(input.bytes, SIZES, read);
}

function read(channel, at, data) {
  if (channel === 0x0367) data.temperature = int16(at, 0) / 10;
  else if (channel === 0x0468) data.humidity = at[0] / 2;
  else if (channel === 0x058e) data.gas_status = word(GAS, at[0]);
  else if (channel === 0x0601) data.valve_status = word(SWITCH, at[0]);
  else if (channel === 0x0701) data.relay_output_status = word(SWITCH, at[0]);
  else if (channel === 0x0890) data.life_remain = uint32(at, 0);
  else if (channel === 0xff01) data.protocol_version = at[0];
  else if (channel === 0xff09) data.hardware_version = hex(at);
  else if (channel === 0xff0a) data.firmware_version = hex(at);
  else if (channel === 0xff0b) data.device_status = "on";
  else if (channel === 0xff0f) data.lorawan_class = at[0];
  else if (channel === 0xff16) data.sn = hex(at);
  else if (channel === 0xff3f) data.alarm = word(ALARMS, at[0]);
  else if (channel === 0xfffe) data.reset_event = "reset";
  else data.tsl_version = hex(at);
}

function hex(bytes) {
  return bytes.map(function (b) { return (b < 16 ? "0" : "") + b.toString(16); }).join("");
}
