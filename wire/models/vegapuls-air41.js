// VEGAPULS Air 41 and 42 radar level sensors with tilt angle: the vendor's packets 2 to 5 (fixed)
// and 8 to 15, 18 to 22 (with unit of temperature). Numbers are big-endian, the distance a
// 32-bit float whose unit is in the frame; it is given in metres. 7FFFFFFF means no echo.

var METRES = { 44: 0.3048, 45: 1, 47: 0.0254, 49: 0.001 };
// Packets of the second family that carry: state, distance, power, position, details, ...
var STATE = [10, 11, 14, 15, 19, 20, 21, 22];
var DISTANCE = [8, 9, 10, 11, 12, 13, 14, 15, 18, 19];
var PERCENT = [12, 13, 14, 15, 22];
var POSITION = [9, 11, 13, 15, 21];
var DETAILS = [10, 11, 14, 15, 20];
var TEMPERATURE = [8, 9, 10, 11, 12, 13, 14, 15, 18, 20];

function decodeUplink(input) {
  var id = input.bytes[0];
  var reader = { bytes: input.bytes, at: 1, data: {}, warnings: [] };
  if (id >= 2 && id <= 5) fixed(reader, id);
  else if ((id >= 8 && id <= 15) || (id >= 18 && id <= 22)) flexible(reader, id);
  else if (id === 6 || id === 7 || id === 16 || id === 17 || (id >= 23 && id <= 26)) {
    return { data: { packet: id } }; // place, state, names and settings: no reading
  } else return { errors: ["unknown packet " + id] };
  if (reader.at !== input.bytes.length) {
    return { errors: ["packet " + id + " with " + input.bytes.length + " bytes is none"] };
  }
  return { data: reader.data, warnings: reader.warnings };
}

function fixed(reader, id) {
  reader.data.namurState = take(reader, 1);
  distance(reader);
  reader.data.battery = take(reader, 1);
  reader.data.temperature = signed(take(reader, 2)) / 10;
  if (id === 3 || id === 5) reader.at += 8;
  if (id === 4 || id === 5) reader.data.detailState = take(reader, 4);
  reader.data.inclination = take(reader, 1);
}

function flexible(reader, id) {
  if (has(STATE, id)) reader.data.namurState = take(reader, 1);
  if (has(DISTANCE, id)) distance(reader);
  if (has(PERCENT, id)) percent(reader);
  if (has(DISTANCE, id)) reader.data.battery = take(reader, 1);
  if (has(POSITION, id)) reader.at += 8;
  if (has(DETAILS, id)) reader.data.detailState = take(reader, 4);
  if (has(TEMPERATURE, id)) temperature(reader);
  if (has(DISTANCE, id)) reader.data.inclination = take(reader, 1);
}

function has(list, id) {
  return list.indexOf(id) >= 0;
}

function distance(reader) {
  var metres = float(take(reader, 4));
  var unit = take(reader, 1);
  if (!isFinite(metres)) reader.warnings.push("no echo: no distance");
  else if (METRES[unit] === undefined) reader.warnings.push("unknown unit of distance " + unit);
  else reader.data.distance = Math.round(metres * METRES[unit] * 1e5) / 1e5;
}

function percent(reader) {
  var direct = take(reader, 2);
  var linear = take(reader, 2);
  if (direct !== 0x8000) reader.data.percent = signed(direct) / 100;
  if (linear !== 0x8000) reader.data.linPercent = signed(linear) / 100;
  reader.at += 5; // scaled value and its unit: set by the user
}

function temperature(reader) {
  var tenths = take(reader, 2);
  var unit = take(reader, 1);
  if (tenths === 0x8000) return;
  var degrees = signed(tenths) / 10;
  reader.data.temperature = unit === 33 ? Math.round(((degrees - 32) / 1.8) * 10) / 10 : degrees;
}

// The next bytes as one number; past the end the position alone moves on.
function take(reader, size) {
  var part = reader.bytes.slice(reader.at, reader.at + size);
  reader.at += size;
  return part.reduce(function (sum, byte) { return sum * 256 + byte; }, 0);
}

function signed(word) {
  return word > 0x7fff ? word - 0x10000 : word;
}

function float(bits) {
  return new DataView(new Uint32Array([bits]).buffer).getFloat32(0, true);
}
