// Decentlab DL-LID laser distance sensor: byte table of the vendor's user guide, section "Payload".
// 02, device id, flags; bit 0: eleven words of distances, bit 1: battery. Words are big-endian.

var DISTANCES = [
  "distance_average", "distance_minimum", "distance_maximum", "distance_median",
  "distance_10th_percentile", "distance_25th_percentile", "distance_75th_percentile",
  "distance_90th_percentile", "distance_most_frequent_value", "number_of_samples",
];

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length < 5 || bytes[0] !== 2) return { errors: ["not protocol version 2"] };
  var words = [];
  for (var i = 1; i + 1 < bytes.length; i += 2) words.push(bytes[i] * 256 + bytes[i + 1]);
  var flags = words[1];
  var wanted = 2 + (flags & 1 ? 11 : 0) + (flags & 2 ? 1 : 0);
  if (flags > 3 || words.length !== wanted || bytes.length % 2 === 0) {
    return { errors: ["length does not fit the flags " + flags] };
  }
  var data = { protocol_version: 2, device_id: words[0] };
  var at = 2;
  if (flags & 1) {
    DISTANCES.forEach(function (name) { data[name] = words[at++]; });
    data.total_acquisition_time = words[at++] / 1.024;
  }
  if (flags & 2) data.battery_voltage = words[at] / 1000;
  return { data: data };
}
