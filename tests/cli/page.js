// Whether a browser shows a trace: in the document that it has made of the page ($1) the chain of
// causes stands in order and with times, and the picture of it ($2) has arrows in their colours.
const fs = require('fs'), zlib = require('zlib');
const must = (ok, what) => {
    if (!ok) {
        console.error(what);
        process.exit(1);
    }
};

// ---- The document ----
const dom = fs.readFileSync(process.argv[2], 'utf8');
const info = /<div id="info"[^>]*display: block[^>]*>(.*?)<\/div>/s.exec(dom);
must(info, 'the trace in the address is not shown');
const time = '\\d+(\\.\\d+)?(ns|us|ms|s)';
const step = (depth, from, to, name) => `\\+${time} ${' '.repeat(2 * depth)}${from}@\\d+ =&gt; ${to}@\\d+  ${name}  wait ${time} run ${time}`;
const chain = [
    step(0, 'chain/\\d+', 'cart/\\d+', 'items'), step(1, 'cart/\\d+', 'chain/\\d+', 'answer'),
    step(2, 'chain/\\d+', 'pricer/\\d+', 'price'), step(3, 'pricer/\\d+', 'bank', 'rate'),
    step(4, 'bank', 'pricer/\\d+', 'answer'), step(5, 'pricer/\\d+', 'chain/\\d+', 'answer'),
].join('\\n');
must(new RegExp(chain).test(info[1]), `the chain of causes is not there, in order and with times:\n${info[1]}`);
const rows = dom.split('<g class="row').slice(1);
must(rows.length === Number(/data-rows="(\d+)"/.exec(dom)[1]), 'a row for each event');
const shown = rows.filter(r => !r.startsWith(' off'));
must(shown.length >= 6 && shown.length < rows.length, `${shown.length} of ${rows.length} rows are shown`);
const starts = shown.map(r => /<text[^>]*class="t">\+([\d.]+)(ns|us|ms|s)</.exec(r))
    .map(([, n, unit]) => n * {ns: 1, us: 1e3, ms: 1e6, s: 1e9}[unit]);
must(starts.every((t, i) => i === 0 || t >= starts[i - 1] * 0.999), `times do not ascend: ${starts}`);

// ---- The picture: 8 bits of red, green, blue, and perhaps alpha ----
const png = fs.readFileSync(process.argv[3]);
must(png.subarray(1, 4).toString() === 'PNG', 'no PNG');
const width = png.readUInt32BE(16), height = png.readUInt32BE(20), size = {2: 3, 6: 4}[png[25]];
must(png[24] === 8 && size !== undefined && width === 1500, 'a PNG of another kind');
const parts = [];
for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
        parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
const raw = zlib.inflateSync(Buffer.concat(parts)), line = width * size;
const paeth = (a, b, c) => {
    const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
};
// Pixels that are as good as of this colour: lines are smoothed.
const near = (row, x, colour) => colour.every((c, i) => Math.abs(row[x + i] - c) < 48);
const colours = new Set();
let above = Buffer.alloc(line), asks = 0, turns = 0;
for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)], row = Buffer.from(raw.subarray(y * (line + 1) + 1, (y + 1) * (line + 1)));
    for (let x = 0; x < line; x++) {
        const a = x < size ? 0 : row[x - size], b = above[x], c = x < size ? 0 : above[x - size];
        row[x] = row[x] + [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter];
    }
    for (let x = 0; x < line; x += size) {
        colours.add(row.toString('hex', x, x + 3));
        asks += near(row, x, [0x0d, 0x94, 0x88]);
        turns += near(row, x, [0xbf, 0xdb, 0xfe]);
    }
    above = row;
}
must(colours.size > 20, `a blank page: ${colours.size} colours`);
must(asks > 300, `no arrows in the colour of an ask: ${asks} pixels`);
must(turns > 100, `no bars in the colour of a turn: ${turns} pixels`);
