// Node's child_process.fork with its IPC channel: `node node_ipc.js json|advanced FIGURE`. It
// starts itself once more as the child, runs one figure, and prints lines `key<TAB>value`, as
// peer.c does for the peers in C: the child first says that it is there, the rates run twice and
// the second time counts, BENCH_SCALE multiplies counts and BENCH_CHILD_CPU pins the child.
//
// Each serialization sends large messages in the form that it carries best: json a string, advanced
// a Buffer.
'use strict';

const assert = require('assert');
const { fork } = require('child_process');
const fs = require('fs');

const WINDOW = 1000;
const SPAWNS = 21;
const WARM_UP = 1000;
const IDLE_MS = 200; // for start-up work that Node puts off

const request = { hello: 'world' };
const reply = { response: 'Hello back!' };
const isRequest = (message) => message.hello === 'world';
const isReply = (message) => message.response === 'Hello back!';

const [serialization, figure, role] = process.argv.slice(2);
const scaled = (count) => Math.max(1, Math.floor(count * Number(process.env.BENCH_SCALE ?? 1)));
const emit = (key, value) => console.log(`${key}\t${value.toPrecision(6)}`);
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

const oneways = {
  oneway: { count: scaled(100000), key: 'oneway_kps', perMessage: 1 / 1e3 },
  large64k: { count: scaled(3000), key: 'mbps_64k', size: 0x10000, perMessage: 0x10000 / 1e6 },
  large1m: { count: scaled(200), key: 'mbps_1m', size: 0x100000, perMessage: 0x100000 / 1e6 },
};

// A one-way figure's message, and the check of one that has arrived: its length and ends.
function onewayMessage({ size }) {
  if (size === undefined)
    return [request, isRequest];
  if (serialization === 'json')
    return ['x'.repeat(size), (m) => m.length === size && m[0] === 'x' && m[size - 1] === 'x'];
  return [Buffer.alloc(size, 1), (m) => m.length === size && m[0] === 1 && m[size - 1] === 1];
}

// The child's side.

function childRun() {
  if (figure === 'oneway' || figure.startsWith('large'))
    childCount(oneways[figure]);
  else
    process.on('message', (message) => { assert(isRequest(message)); process.send(reply); });
  process.send(reply);
}

function childCount(oneway) {
  const [, check] = onewayMessage(oneway);
  let received = 0;
  process.on('message', (message) => {
    assert(check(message));
    if (++received % oneway.count === 0)
      process.send(reply);
  });
}

// The parent's side.

let stopping = false;

// A child that runs and has said so.
async function start() {
  const options = { serialization };
  if (process.env.BENCH_CHILD_CPU !== undefined) {
    options.execPath = 'taskset';
    options.execArgv = ['-c', process.env.BENCH_CHILD_CPU, process.execPath];
  }
  stopping = false;
  const child = fork(__filename, [serialization, figure, 'child'], options);
  child.on('exit', () => { if (!stopping) process.exit(1); });
  await nextReply(child);
  return child;
}

function stop(child) {
  stopping = true;
  return new Promise((resolve) => { child.once('exit', resolve); child.kill('SIGKILL'); });
}

function nextReply(child) {
  return new Promise((resolve) => {
    child.once('message', (message) => { assert(isReply(message)); resolve(); });
  });
}

// A number of round trips, one after the other, from callback to callback; their times in us.
function roundTrips(child, count) {
  const samples = new Float64Array(count);
  let done = 0;
  let sent;
  return new Promise((resolve) => {
    const ask = () => { sent = process.hrtime.bigint(); child.send(request); };
    const answered = (message) => {
      samples[done++] = Number(process.hrtime.bigint() - sent) / 1e3;
      assert(isReply(message));
      if (done < count)
        return ask();
      child.off('message', answered);
      resolve(samples.sort());
    };
    child.on('message', answered);
    ask();
  });
}

// Send without pause until send() says that its queue is long, and go on when that has left: the
// callback of one more message tells.
function pour(child, message, count) {
  let sent = 0;
  const go = () => {
    let room = true;
    while (room && sent < count) {
      sent++;
      room = child.send(message);
    }
    if (sent < count) {
      sent++;
      child.send(message, go);
    }
  };
  go();
}

// Requests, WINDOW of them in flight, until count are answered.
function pipelined(child, count) {
  let answered = 0;
  let sent = 0;
  return new Promise((resolve) => {
    const ask = () => { sent++; child.send(request); };
    const onReply = (message) => {
      assert(isReply(message));
      if (sent < count)
        ask();
      if (++answered === count) {
        child.off('message', onReply);
        resolve();
      }
    };
    child.on('message', onReply);
    while (sent < Math.min(WINDOW, count))
      ask();
  });
}

// Run something twice; the time of the second one in s.
async function secondTime(run) {
  await run();
  const begin = nowMs();
  await run();
  return (nowMs() - begin) / 1e3;
}

async function onewayRate(name) {
  const { count, key, perMessage } = oneways[name];
  const [message] = onewayMessage(oneways[name]);
  const child = await start();
  const seconds = await secondTime(() => {
    const acknowledged = nextReply(child);
    pour(child, message, count);
    return acknowledged;
  });
  emit(key, count * perMessage / seconds);
  await stop(child);
}

const figures = {
  async rtt() {
    const child = await start();
    await roundTrips(child, WARM_UP);
    const samples = await roundTrips(child, scaled(5000));
    emit('rtt_p50_us', samples[Math.floor((samples.length - 1) * 0.5)]);
    emit('rtt_p99_us', samples[Math.floor((samples.length - 1) * 0.99)]);
    await stop(child);
  },

  oneway: () => onewayRate('oneway'),
  large64k: () => onewayRate('large64k'),
  large1m: () => onewayRate('large1m'),

  async pipeline() {
    const count = scaled(40000);
    const child = await start();
    const seconds = await secondTime(() => pipelined(child, count));
    emit('pipeline_kps', count / 1e3 / seconds);
    await stop(child);
  },

  async spawn() {
    const samples = [];
    for (let i = 0; i < SPAWNS; i++) {
      const begin = nowMs();
      const child = await start();
      samples.push(nowMs() - begin);
      await stop(child);
    }
    emit('spawn_ms', samples.sort((a, b) => a - b)[Math.floor(SPAWNS / 2)]);
  },

  async memory() {
    const child = await start();
    await roundTrips(child, 1);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const text = fs.readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
    const kib = (name) => Number(text.match(new RegExp(`^${name}: *(\\d+) kB`, 'm'))[1]);
    emit('private_mib', (kib('Private_Clean') + kib('Private_Dirty')) / 1024);
    emit('pss_mib', kib('Pss') / 1024);
    await stop(child);
  },
};

if (role === 'child')
  childRun();
else
  figures[figure]();
