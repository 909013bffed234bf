// Node's answers for test_encodings_node.c: `node encodings_node.js ENCODING`. Standard input is a
// list of cases: one byte that says what is asked, a number, a length, and as many bytes; both numbers
// are of 32 bits, the little end first. The output is a length and the bytes of each answer.
'use strict';

const buffer = require('buffer');
const fs = require('fs');
const { StringDecoder } = require('string_decoder');

const encoding = process.argv[2];

// The text of bytes that come in pieces of 1 to 9 bytes; the test cuts in the same way.
function decode(bytes, first) {
  const decoder = new StringDecoder(encoding);
  let text = '';
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = 1 + (i * i + first) % 9;
    text += decoder.write(bytes.subarray(at, at + size));
    at += size;
  }
  return text + decoder.end();
}

function write(text, room) {
  const bytes = Buffer.alloc(room);
  return bytes.subarray(0, bytes.write(text, encoding));
}

const answers = {
  p: (bytes) => Buffer.from(bytes.toString(encoding), 'utf8'),
  b: (bytes) => Buffer.from(bytes.toString('utf8'), encoding),
  w: (bytes, room) => write(bytes.toString('utf8'), room),
  d: (bytes, first) => Buffer.from(decode(bytes, first), 'utf8'),
  c: (bytes) => Buffer.from([buffer.isUtf8(bytes), buffer.isAscii(bytes)]),
};

const cases = fs.readFileSync(0);
const output = [];
for (let at = 0; at < cases.length;) {
  const begin = at + 9;
  const end = begin + cases.readUInt32LE(at + 5);
  const answer = answers[String.fromCharCode(cases[at])];
  const bytes = answer(cases.subarray(begin, end), cases.readUInt32LE(at + 1));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  output.push(size, bytes);
  at = end;
}
fs.writeFileSync(1, Buffer.concat(output));
