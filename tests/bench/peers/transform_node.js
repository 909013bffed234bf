// Node's side of the transforms in `./dev bench io`: transform_node.js FIGURE, as io_transform.bash
// describes it.
'use strict';
const { Readable, Writable, Transform, pipeline } = require('stream');
const readline = require('readline');
const zlib = require('zlib');

const CHUNK = 65536;
const LINE = 'The quick brown fox jumps over the lazy dog, and then once more.\n';
const counts = { transform_identity: 1000000, transform_lines: 8000, transform_gzip: 400 };

const figure = process.argv[2];
if (!(figure in counts))
    process.exit(77);
const scale = process.env.BENCH_SCALE === undefined ? 1 : Number(process.env.BENCH_SCALE);
const total = Math.max(1, Math.floor(counts[figure] * scale));
const chunk = Buffer.alloc(CHUNK, LINE);
let left = total;
let items = 0;
const begin = process.hrtime.bigint();

function done(error) {
    if (error)
        throw error;
    const s = Number(process.hrtime.bigint() - begin) / 1e9;
    console.log(`mb\t${total * CHUNK / 1e6 / s}`);
    console.log(`k\t${items / 1e3 / s}`);
}

const source = new Readable({ read() { this.push(left-- > 0 ? chunk : null); } });
const sink = new Writable({ write(bytes, encoding, cb) { items++; cb(); } });

if (figure === 'transform_lines') {
    const lines = readline.createInterface({ input: source, crlfDelay: Infinity });
    lines.on('line', () => items++);
    lines.on('close', () => done());
} else if (figure === 'transform_gzip') {
    pipeline(source, zlib.createGzip({ level: 6 }), sink, done);
} else {
    pipeline(source, new Transform({ transform(bytes, encoding, cb) { cb(null, bytes); } }), sink,
        done);
}
