// Node's child_process: `node process_node.js FIGURE`, as process.sh describes them.
'use strict';
const { exec, spawn } = require('child_process');

const WARM_UP = 20;
const figure = process.argv[2];
const limit = 2000 * Number(process.env.BENCH_SCALE || 1);
const atOnce = figure.endsWith('8') ? 8 : 1;
const memory = [];
let started = 0, ended = 0, start = 0;

function oneEnded(bad) {
  if (bad)
    throw new Error('it has failed');
  const now = performance.now();
  if (++ended === WARM_UP)
    start = now;
  if (ended <= WARM_UP || now - start < limit)
    next();
  else if (started === ended)
    console.log(`rate\t${((ended - WARM_UP) * 1e3 / (now - start)).toPrecision(6)}`);
}

function next() {
  started++;
  if (figure.startsWith('exec'))
    exec('true', oneEnded);
  else
    spawn('/bin/true', { stdio: 'ignore' }).on('close', oneEnded);
}

if (figure === 'large')
  for (let i = 0; i < 16; i++)
    memory.push(Buffer.alloc(128 << 20, 1));
for (let i = 0; i < atOnce; i++)
  next();
