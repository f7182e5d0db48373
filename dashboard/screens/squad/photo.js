/* Photos are made small on the phone; time and place (EXIF) stay with them. */
(function () {
  'use strict';
  const gw = window.gw;
  const MOST_MB = 40, SENT_MB = 10, FILM_MB = 20, MB = 1024 * 1024;
  const SIDE = 2048, SMALL_BYTES = 900 * 1024, QUALITY = 0.82;
  const photo = (gw.photoFile = {});

  const u16 = (v, at, little) => v.getUint16(at, little), u32 = (v, at, little) => v.getUint32(at, little);
  const ascii = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

  /* What the first bytes say that it is, whatever its name is. */
  photo.kind = function (bytes) {
    if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'image/jpeg';
    if (ascii(bytes, 1, 4) === 'PNG') return 'image/png';
    if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') return 'image/webp';
    if (ascii(bytes, 4, 8) !== 'ftyp') return '';
    return ['heic', 'heix', 'mif1', 'msf1', 'heim', 'heis'].includes(ascii(bytes, 8, 12)) ? 'image/heic' : 'video/mp4';
  };

  /* The APP1 segment with EXIF, marker included, of a JPEG; null where it has none. */
  photo.exif = function (bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda;) {
      const size = u16(view, at + 2, false);
      if (size < 2 || at + 2 + size > bytes.length) return null;
      if (bytes[at + 1] === 0xe1 && ascii(bytes, at + 4, at + 8) === 'Exif') return bytes.slice(at, at + 2 + size);
      at += 2 + size;
    }
    return null;
  };

  /* The picture is upright once it is drawn anew: its EXIF must not turn it a second time. */
  photo.upright = function (segment) {
    const bytes = segment.slice(), view = new DataView(bytes.buffer), tiff = 10;
    if (bytes.length < tiff + 8) return bytes;
    const little = ascii(bytes, tiff, tiff + 2) === 'II', first = tiff + u32(view, tiff + 4, little);
    if (first + 2 > bytes.length) return bytes;
    for (let k = 0, at = first + 2; k < u16(view, first, little) && at + 12 <= bytes.length; k++, at += 12)
      if (u16(view, at, little) === 0x0112) view.setUint16(at + 8, 1, little);
    return bytes;
  };

  /* A JPEG with this segment right behind its first marker. */
  photo.withExif = function (jpeg, segment) {
    const out = new Uint8Array(jpeg.length + segment.length);
    out.set(jpeg.subarray(0, 2));
    out.set(segment, 2);
    out.set(jpeg.subarray(2), 2 + segment.length);
    return out;
  };

  const size = bytes => (bytes / MB).toFixed(1);
  const refuse = (key, gaps) => { throw Object.assign(new Error(key), { words: gw.t(key, gaps) }); };

  async function small(file, bytes) {
    let picture;
    try { picture = await createImageBitmap(file); } catch { return refuse('phone.photo_damaged', { name: file.name }); }
    const share = Math.min(1, SIDE / Math.max(picture.width, picture.height));
    if (share === 1 && bytes.length <= SMALL_BYTES) return file;
    const canvas = gw.el('canvas', '', null, { width: Math.round(picture.width * share), height: Math.round(picture.height * share) });
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const blob = await new Promise(resolve => { canvas.toBlob(resolve, 'image/jpeg', QUALITY); });
    const drawn = new Uint8Array(await blob.arrayBuffer()), exif = photo.kind(bytes) === 'image/jpeg' ? photo.exif(bytes) : null;
    return new Blob([exif ? photo.withExif(drawn, photo.upright(exif)) : drawn], { type: 'image/jpeg' });
  }

  /* What is sent of a chosen file: {file, filename}. Throws an error whose `words` are for the person. */
  photo.prepare = async function (file) {
    if (file.size > MOST_MB * MB) refuse('phone.photo_large', { name: file.name, mb: size(file.size), most: MOST_MB });
    const bytes = new Uint8Array(await file.arrayBuffer()), kind = photo.kind(bytes);
    if (!kind) refuse('phone.photo_other', { name: file.name });
    if (kind === 'video/mp4') {
      if (file.size > FILM_MB * MB) refuse('phone.photo_large', { name: file.name, mb: size(file.size), most: FILM_MB });
      return { file: new Blob([bytes], { type: kind }), filename: file.name };
    }
    // Few browsers read HEIC: it goes as it is.
    const made = kind === 'image/heic' ? new Blob([bytes], { type: kind }) : await small(file, bytes);
    if (made.size > SENT_MB * MB) refuse('phone.photo_large', { name: file.name, mb: size(made.size), most: SENT_MB });
    const isNew = made !== file, name = isNew && kind !== 'image/heic' ? file.name.replace(/\.[^.]*$/, '') + '.jpg' : file.name;
    return { file: isNew ? made : new Blob([bytes], { type: kind }), filename: name };
  };
})();
