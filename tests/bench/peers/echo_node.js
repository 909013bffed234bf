// An echo server in Node, as bench_echo.c: `node echo_node.js tcp://127.0.0.1:0`.
'use strict';

const net = require('net');

const where = process.argv[2];
const local = where.startsWith('unix:');

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    if (!socket.write(chunk))
      socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => {});
});

server.listen(local ? { path: where.slice(5) } : { host: '127.0.0.1', port: 0 }, () => {
  console.log(local ? where : `tcp://127.0.0.1:${server.address().port}`);
});
