// Node's loop: `node node_loop.js FIGURE COUNT`, as io_loop.bash describes them.
'use strict';

const BURST = 1000;

const [name, arg] = process.argv.slice(2);
const count = arg - arg % BURST;
const cpuNs = () => { const t = process.cpuUsage(); return (t.user + t.system) * 1e3; };
const now = name === 'spread' ? cpuNs : () => Number(process.hrtime.bigint());

let done, start;
let rounds = 0;

function begin() {
  done = 0;
  start = now();
  figures[name]();
}

// The first round warms up.
function finish() {
  const took = now() - start;
  if (++rounds < 2)
    setTimeout(begin, 1);
  else
    console.log(`${name}\t${(count * 1e3 / took).toPrecision(6)}`);
}

const onDone = () => { if (++done === count) finish(); };

function chain(call) {
  const next = () => { if (++done === count) finish(); else call(next); };
  call(next);
}

function burst(call) {
  const more = () => { for (let i = 0; i < BURST; i++) call(one); };
  const one = () => {
    if (++done === count) finish();
    else if (done % BURST === 0) more();
  };
  more();
}

const figures = {
  fire() {
    for (let i = 0; i < count; i++) setTimeout(onDone, 1);
  },
  spread() {
    for (let i = 0; i < count; i++) setTimeout(onDone, 1 + i % 100);
  },
  cancel() {
    const timers = new Array(count);
    for (let i = 0; i < count; i++) timers[i] = setTimeout(onDone, 1000 * (1 + i % 100));
    for (let i = 0; i < count; i++) clearTimeout(timers[i]);
    finish();
  },
  immediates: () => chain(setImmediate),
  immediates_burst: () => burst(setImmediate),
  ticks: () => chain(process.nextTick),
  ticks_burst: () => burst(process.nextTick),
  microtasks: () => chain(queueMicrotask),
  microtasks_burst: () => burst(queueMicrotask),
  promises() {
    const next = () => { if (++done === count) finish(); else Promise.resolve().then(next); };
    Promise.resolve().then(next);
  },
};

begin();
