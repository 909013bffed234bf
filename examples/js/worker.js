#!/usr/bin/env node
'use strict';
// A worker in Node.js for a C program, which spawns and supervises it like any other child:
// examples/js_worker.c.
const troupe = require('./troupe');

troupe.child({
  square: (x) => x * x,
  crash() { process.kill(process.pid, 'SIGKILL'); },
});
