// Node's pipelines: file_node.js file|seen FROM TO, file_node.js socket FROM ADDRESS.
'use strict';
const fs = require('fs');
const net = require('net');
const { PassThrough } = require('stream');
const { pipeline } = require('stream/promises');

async function main([figure, from, to]) {
    const begun = process.hrtime.bigint();
    const streams = [fs.createReadStream(from)];
    if (figure === 'seen')
        streams.push(new PassThrough());
    streams.push(figure === 'socket' ? net.connect(Number(to.split(':').pop()), '127.0.0.1')
                                     : fs.createWriteStream(to));
    await pipeline(streams);
    const ns = Number(process.hrtime.bigint() - begun);
    if (figure !== 'socket')
        console.log(`${figure}\t${fs.statSync(to).size * 1000 / ns}`);
}

main(process.argv.slice(2));
