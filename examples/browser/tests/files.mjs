// Files that a user may drop: pictures and weights, right and wrong.

import { deflateSync } from "node:zlib";

const CRC = new Uint32Array(256).map((_, n) => {
  for (let bit = 0; bit < 8; bit++) {
    n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  }
  return n;
});

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const crc = body.reduce((sum, byte) => CRC[(sum ^ byte) & 255] ^ (sum >>> 8), 0xffffffff);
  const [length, end] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  end.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return Buffer.concat([length, body, end]);
}

/** A PNG with a gradient. */
export function png(width, height) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let at = 0; at < rows.length; at++) {
    rows[at] = at % (1 + 3 * width) === 0 ? 0 : (at * 7) & 255;
  }
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([magic, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

/** A safetensors file with tensors of zeros. */
export function safetensors(shapes) {
  let end = 0;
  const table = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const length = 4 * shape.reduce((product, side) => product * side, 1);
    table[name] = { dtype: "F32", shape, data_offsets: [end, end + length] };
    end += length;
  }
  return joined(JSON.stringify(table), Buffer.alloc(end));
}

/** The same file without the texts beside its tensors. */
export function withoutDescription(file) {
  const length = Number(file.readBigUInt64LE());
  const table = JSON.parse(file.subarray(8, 8 + length).toString());
  delete table.__metadata__;
  return joined(JSON.stringify(table), file.subarray(8 + length));
}

function joined(header, tensors) {
  const text = Buffer.from(header.padEnd(8 * Math.ceil(header.length / 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, tensors]);
}
