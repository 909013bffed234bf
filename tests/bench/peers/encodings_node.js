// Node's side of the encodings in `./dev bench io`: `node encodings_node.js FIGURE`. The bytes and the
// measuring are those of bench_encodings.c.
'use strict';

const assert = require('assert');

const RUN_NS = 60000000 * Number(process.env.BENCH_SCALE ?? 1);
const LARGE = 0x100000;
const sizes = [['64', 64], ['4k', 4096], ['1m', LARGE]];
const texts = {
  utf8: 'The quick brown fox, съешь же ещё этих булок, 素早い茶色の狐, naïve café, 10 €, 😀. ',
  latin1: 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ',
  ascii: 'The quick brown fox jumps over the lazy dog, and then once more. ',
};
texts.utf16le = texts.latin1;

const [, encoding, direction] = process.argv[2].split('_');

function randomBytes(size) {
  let state = 1;
  return Buffer.alloc(size).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

function input(size) {
  const bytes = encoding in texts ? Buffer.alloc(size, texts[encoding], encoding) : randomBytes(size);
  return direction === 'encode' ? bytes : bytes.toString(encoding);
}

const convert = direction === 'encode'
  ? (bytes) => bytes.toString(encoding).length
  : (text) => Buffer.from(text, encoding).length;

function rate(from) {
  const round = 1 + Math.floor(2 * LARGE / (from.length + 64) / 8);
  let done = 0;
  let length = 0;
  let now;
  const goRound = () => {
    for (let i = 0; i < round; i++)
      length += convert(from);
  };
  goRound();
  const begin = process.hrtime.bigint();
  do {
    goRound();
    done += round;
    now = process.hrtime.bigint();
  } while (Number(now - begin) < RUN_NS);
  assert(length > 0);
  return done * 1e9 / Number(now - begin);
}

for (const [key, size] of sizes)
  console.log(`${key}\t${(rate(input(size)) * size / 1e6).toPrecision(6)}`);
