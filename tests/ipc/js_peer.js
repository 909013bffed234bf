#!/usr/bin/env node
'use strict';
// What test_js.c talks to, on examples/js/troupe.js, whose directory is the first argument: a child;
// or with a path behind it a stranger that dials there, and exits with 0 when all was as it should be.
const fs = require('node:fs');
const troupe = require(`${process.argv[2]}/troupe`);

let count = 0;

function echo(body, msg, peer) {
  if (msg.ask !== undefined) return body;
  peer.send(msg.from, msg.name, body, msg.buffers);
}

const handlers = {
  echo,
  numbered: echo,
  tick() { count++; },
  count: () => count,
  // Take nothing more until somebody writes to that pipe.
  hold: (path) => fs.promises.readFile(path).then(() => undefined),
  // Send so many numbered messages of that size, as fast as they may leave.
  burst(body, msg, peer) {
    const bytes = Buffer.alloc(Number(body.bytes));
    for (let n = 0; n < body.count; n++)
      peer.send(msg.from, 'burst', n, bytes.length > 0 ? [bytes] : []);
  },
  silent() {},
  never: () => new Promise(() => {}),
  ask: (body, msg, peer) => peer.ask(msg.from, 'question', body).then((answer) => [body, answer]),
  // Monitor somebody, have them end, and say why they did.
  watch(who, msg, peer) {
    const end = peer.monitor(who.actor);
    peer.send(who, 'end');
    return end;
  },
  wrong() { throw Object.assign(new Error('on purpose'), { status: -6004 }); },
  quit(body, msg, peer) { peer.end(); },
};

async function meet(path) {
  const peer = troupe.connect(path, handlers);
  const big = 2n ** 64n - 3n;
  const answer = await peer.ask(1, 'echo', [big, new troupe.Address(big, 1), 'text', null]);
  if (answer[0] !== big || answer[1].node !== big || answer[2] !== 'text') throw answer;
  const unknown = await peer.ask(1, 'who knows').catch((error) => error.status);
  if (unknown !== -6005) throw unknown;
  const nobody = await peer.monitor(12345);
  const end = peer.monitor(1);
  peer.send(1, 'quit', { count: 0, witness: new troupe.Address(0, 0) });
  const reasons = [nobody[0], (await end)[0]].join();
  if (reasons !== '6,0') throw reasons;
}

if (process.argv.length === 3) troupe.child(handlers);
else meet(process.argv[3]).then(() => process.exit(0), (why) => {
  console.error(why);
  process.exit(1);
});
