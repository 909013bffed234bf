'use strict';
// What test_ws_node.c listens for: Node's own WebSocket, of which the url is the argument. Exits with 0
// if all was as it should be, and with 9, as Node does for an option that it does not know, if there is
// none.
const PROTOCOL = 'pair1.sp.nanomsg.org';
const url = process.argv[2];
if (typeof WebSocket === 'undefined') process.exit(9);

function open(where, protocol) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(where, protocol);
    const waiting = [], came = [];
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error(`refused: ${where} ${protocol}`));
    socket.onmessage = (event) => {
      const bytes = Buffer.from(event.data);
      if (waiting.length > 0) waiting.shift()(bytes);
      else came.push(bytes);
    };
    socket.next = () => new Promise((heard) => {
      if (came.length > 0) heard(came.shift());
      else waiting.push(heard);
    });
    socket.closed = new Promise((heard) => { socket.onclose = heard; });
  });
}

function check(good, what) {
  if (!good) throw new Error(what);
}

// A frame, with its hop count.
function frame(size) {
  const bytes = Buffer.alloc(4 + size, size % 251);
  bytes.writeUInt32BE(1);
  return bytes;
}

async function talk() {
  const sizes = [0, 1, 121, 122, 123, 1000, 65531, 65532, 70000, 1000000];
  const socket = await open(url, ['chat', PROTOCOL]);
  check(socket.protocol === PROTOCOL && socket.extensions === '', 'what was agreed on');
  for (const size of sizes) {
    socket.send(frame(size));
    check(frame(size).equals(await socket.next()), `an echo of ${size} bytes`);
  }
  for (let n = 0; n < 300; n++) socket.send(frame(n));
  for (let n = 0; n < 300; n++) check(frame(n).equals(await socket.next()), `echo number ${n}`);
  socket.close(3000, 'that was all');
  const end = await socket.closed;
  check(end.wasClean && end.code === 3000, `closed with ${end.code}`);
}

async function sayText() {
  const socket = await open(url, PROTOCOL);
  socket.send('text');
  check((await socket.closed).code === 1003, 'text was taken');
}

async function refused(where, protocol) {
  const socket = await open(where, protocol).catch(() => null);
  check(socket === null, `taken: ${where} ${protocol}`);
}

async function all() {
  await talk();
  await sayText();
  await refused(`${url}s`, PROTOCOL);
  await refused(url, 'chat');
  await talk();
}

all().then(() => process.exit(0), (why) => {
  console.error(why);
  process.exit(1);
});
