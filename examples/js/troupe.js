'use strict';
// A node of troupe in Node.js: docs/protocol.md, spoken over a socket. It has one actor, actor 1.
//
//     troupe.child({ square: (x) => x * x });                      spawned by a C program
//     const peer = troupe.connect('/run/greeter.sock', {});        a stranger to one that listens
//     const answer = await peer.ask(1n, 'square', 7);
//
// Handlers go by the names of messages and are called one at a time, as handler(body, msg, peer).
// What one returns, or its promise resolves to, answers an ask; one that throws ends the node.
// A number that needs 64 bits is a BigInt, both ways: a double cannot hold it.
const { EventEmitter } = require('node:events');
const { randomBytes } = require('node:crypto');
const net = require('node:net');
const { Packr, addExtension } = require('msgpackr');

const [HELLO, MESSAGE, CREDIT, WANT, MONITOR, DEMONITOR, DOWN, STOP, BYE, REFUSE, ASK, ANSWER, , , ,
  KILL] = Array(16).keys();
const EIO = -5, ETIMEDOUT = -110, ENOACTOR = -6001, EDOWN = -6003, EBADMSG = -6004;
const EUNKNOWN = -6005, EVERSION = -6009, ENOREPLY = -6012;
const NORMAL = [0, 0, false], LOST = [5, EDOWN, false]; // reasons
const SP_HELLO = Buffer.from('0053500000110000', 'hex'), FRAME_MAX = 65 << 20, FLUSH = 1 << 16;
const WINDOW_MESSAGES = 4096, WINDOW_BYTES = 16 << 20, PEER_BYTES = 24 << 20;

class Address {
  constructor(node, actor) { [this.node, this.actor] = [BigInt(node), BigInt(actor)]; }
  get hex() { return (1n << 128n | this.node << 64n | this.actor).toString(16).slice(1); }
  static from(bytes) { return new Address(bytes.readBigUInt64BE(0), bytes.readBigUInt64BE(8)); }
}
addExtension({ Class: Address, type: 1, unpack: Address.from,
  pack: ({ hex }) => Buffer.from(hex, 'hex') });
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
const pack = (value) => packr.pack(value);
const sum = (buffers) => buffers.reduce((size, buffer) => size + buffer.length, 0);

// The envelopes of a frame, each with the sizes of its items: a weight counts bytes as they came.
function* envelopes(frame) {
  for (let at = 0; at < frame.length;) {
    const wide = frame[at] === 0xdc, count = wide ? frame.readUInt16BE(at + 1) : frame[at] - 0x90;
    const items = [], sizes = [];
    if (!(count > 0 && (wide || count < 16))) throw new Error('no envelope');
    packr.unpackMultiple(frame.subarray(at += wide ? 3 : 1), (item, start, end) => {
      items.push(item);
      sizes.push(end - start);
      return items.length < count;
    });
    if (items.length < count) throw new Error('no envelope');
    at += sizes.reduce((size, more) => size + more);
    yield [items, sizes];
  }
}

// Events: 'hello' (theirs), 'drain', 'ended' (why), 'lost' (their bye, if they said it), 'refused'.
class Peer extends EventEmitter {
  #socket; #handlers; #child; #out = []; #soon; #mail = []; #busy = false; #readable;
  #windows = new Map(); #outstanding = 0; #held = []; #wants = false; // what is on the way
  #ref = 0n; #asks = new Map(); #downs = new Map(); #watchers = new Set();

  constructor(socket, handlers, child) {
    super();
    [this.#socket, this.#handlers, this.#child] = [socket, handlers, child];
    socket.on('error', () => {}).on('close', () => this.#lost());
    socket.on('readable', () => this.#readable());
    socket.write(SP_HELLO);
    if (!child) this.#hello(randomBytes(8).readBigUInt64BE() | 1n);
    this.#read().catch((error) => this.emit('refused', error)).finally(() => socket.destroySoon());
  }

  // Send to an actor of theirs. false: there is no room on the way, so it is held back; all that is
  // leaves in order when there is room, and then comes 'drain'.
  send(to, name, body, buffers) { return this.#send(MESSAGE, to, name, body, buffers, []); }

  // The answer to an ask; rejects with an error whose status says why there is none.
  ask(to, name, body, { timeout = 5000, buffers } = {}) {
    const ref = ++this.#ref, timer = setTimeout(() => this.#answered(ref, ETIMEDOUT), timeout);
    this.#send(ASK, to, name, body, buffers, [ref, timeout * 1000]);
    return new Promise((resolve, reject) => this.#asks.set(ref, { resolve, reject, timer }));
  }

  // The reason, as [kind, code, core], when that actor has ended.
  monitor(actor) {
    this.#post(MONITOR, BigInt(actor), ++this.#ref);
    return new Promise((resolve) => this.#downs.set(this.#ref, resolve));
  }

  // Leave, behind all that was sent.
  end(reason = NORMAL) {
    for (const ref of this.#watchers) this.#post(DOWN, ref, ...reason);
    this.#post(BYE, ...reason);
    this.#flush();
    this.#busy = true; // for good
    this.#socket.end(() => this.emit('ended', reason));
  }

  #hello(node) { this.#post(HELLO, { troupe: 1, node, name: 'node.js' }); }
  #post(...envelope) { this.#put(pack(envelope)); }
  #put(bytes) { // one frame for all that a turn has to say
    if (sum(this.#out) + bytes.length > FLUSH) this.#flush();
    this.#out.push(bytes);
    this.#soon ??= setImmediate(() => this.#flush());
  }
  #flush() {
    this.#soon = clearImmediate(this.#soon);
    const head = Buffer.from('01000000000000000000000001', 'hex');
    head.writeUIntBE(sum(this.#out) + 4, 3, 6);
    this.#socket.write(Buffer.concat([head, ...this.#out.splice(0)]));
  }

  #send(kind, to, name, body, buffers = [], rest) {
    const actor = BigInt(to.actor ?? to), packed = pack(body);
    const tail = buffers.length > 0 ? [...rest, buffers] : rest;
    const head = [Buffer.from([0x95 + tail.length]), ...[kind, actor, 1, name].map(pack)];
    this.#held.push({ actor, weight: Buffer.byteLength(name) + packed.length + sum(buffers),
      bytes: Buffer.concat([...head, packed, ...tail.map(pack)]) });
    return this.#release();
  }
  #release() { // what is held back, as long as there is room for it
    for (; this.#held.length > 0; this.#held.shift()) {
      const { actor, weight, bytes } = this.#held[0];
      const [messages, sent] = this.#windows.get(actor) ?? [0, 0];
      if (messages >= WINDOW_MESSAGES || (messages > 0 && sent + weight > WINDOW_BYTES) ||
          (this.#outstanding > 0 && this.#outstanding + weight > PEER_BYTES)) {
        if (!this.#wants) this.#post(WANT);
        return !(this.#wants = true);
      }
      this.#windows.set(actor, [messages + 1, sent + weight]);
      this.#outstanding += weight;
      this.#put(bytes);
    }
    return true;
  }
  #credited(actor, messages, bytes) {
    const [had, weight] = this.#windows.get(actor);
    this.#windows.set(actor, [had - messages, weight - bytes]);
    if (had === messages) this.#windows.delete(actor);
    this.#outstanding -= bytes;
    this.#wants = false;
    if (this.#held.length > 0 && this.#release()) this.emit('drain');
  }

  async #take(size) {
    for (let bytes; ; await new Promise((readable) => { this.#readable = readable; }))
      if (size === 0 || (bytes = this.#socket.read(size))?.length === size) return bytes ?? '';
  }
  async #read() {
    if (!SP_HELLO.equals(await this.#take(8))) throw new Error('not pair1');
    for (;;) {
      const head = await this.#take(13), size = Number(head.readBigUInt64BE(1)) - 4;
      if (head[0] !== 1 || size < 0 || size > FRAME_MAX) throw new Error('no frame');
      for (const [items, sizes] of envelopes(await this.#take(size))) this.#handle(items, sizes);
    }
  }
  #handle([kind, ...e], sizes) {
    if (!this.node && kind !== HELLO && kind !== REFUSE) this.#refuse(EBADMSG, 'no hello');
    else if (kind === HELLO) this.#greeted(e[0]);
    else if (kind === MESSAGE || kind === ASK) this.#arrived(kind === ASK, e, sizes[4]);
    else if (kind === CREDIT) this.#credited(BigInt(e[0]), Number(e[1]), Number(e[2]));
    else if (kind === MONITOR && BigInt(e[0]) !== 1n) this.#post(DOWN, e[1], 6, 0, false);
    else if (kind === MONITOR) this.#watchers.add(e[1]);
    else if (kind === DEMONITOR) this.#watchers.delete(e[0]);
    else if (kind === DOWN) this.#downs.get(BigInt(e[0]))?.(e.slice(1));
    else if (kind === STOP) this.#mail.push({ reason: [1, 0, false] }), this.#work();
    else if (kind === KILL) this.end([3, 9, false]);
    else if (kind === ANSWER) this.#answered(BigInt(e[2]), e[3], e[7], e.slice(4, 7));
    else if (kind === BYE) this.bye = e;
    else if (kind === REFUSE) throw new Error(`${e[1]} (${e[0]})`);
  }
  #refuse(error, text) {
    this.#post(REFUSE, error, text);
    this.#flush();
    throw new Error(text);
  }
  #greeted(hello) {
    if (hello?.troupe !== 1) this.#refuse(EVERSION, 'this node speaks version 1');
    if (!hello.node || this.node) this.#refuse(EBADMSG, 'a hello without node, or again');
    this.node = BigInt(hello.node);
    if (this.#child) this.parent = new Address(this.node, hello.parent), this.#hello(hello.you);
    this.emit('hello', hello);
  }
  #answered(ref, status, body, reason) {
    const ask = this.#asks.get(ref);
    if (!this.#asks.delete(ref)) return; // it is over
    clearTimeout(ask.timer);
    if (status === 0) ask.resolve(body);
    else ask.reject(Object.assign(new Error(`no answer: ${status}`), { status, reason }));
  }

  #arrived(isAsk, [to, from, name, body, ...rest], bodySize) {
    const sender = from instanceof Address ? from : new Address(this.node, from);
    const ask = isAsk ? rest.splice(0, 2)[0] : undefined, buffers = rest[0] ?? [];
    const weight = Buffer.byteLength(name) + bodySize + sum(buffers);
    this.#mail.push({ to: BigInt(to), weight, msg: { from: sender, name, body, buffers, ask } });
    this.#work();
  }
  async #work() { // one message after the other
    if (this.#busy) return;
    this.#busy = true;
    while (this.#mail.length > 0) {
      const { to, weight, msg, reason } = this.#mail.shift();
      if (reason) return this.end(reason);
      const here = to === 1n, known = here && Object.hasOwn(this.#handlers, msg.name);
      try {
        let answer = known ? this.#handlers[msg.name](msg.body, msg, this) : undefined;
        if (answer instanceof Promise) answer = await answer;
        const none = !here ? ENOACTOR : !known ? EUNKNOWN : answer === undefined ? ENOREPLY : 0;
        const reply = [msg.from.actor, 1, msg.ask, none, ...NORMAL, answer];
        if (msg.ask !== undefined) this.#post(ANSWER, ...reply);
        this.#post(CREDIT, to, 1, weight); // consumed
      } catch (error) { // let it crash
        console.error(error);
        return this.end([2, error.status ?? EIO, false]);
      }
    }
    this.#busy = false;
  }
  #lost() {
    for (const ref of this.#asks.keys()) this.#answered(ref, EDOWN, null, LOST);
    for (const resolve of this.#downs.values()) resolve(LOST);
    this.emit('lost', this.bye);
  }
}

// Be actor 1 of the process that a node has spawned, until it is asked to end or the parent goes.
// Node itself has marked the descriptor close-on-exec.
function child(handlers) {
  if (process.env.TROUPE_LINK !== `3:${process.ppid}`) throw new Error('nobody has spawned this');
  delete process.env.TROUPE_LINK;
  const peer = new Peer(new net.Socket({ fd: 3 }), handlers, true);
  peer.on('ended', ([kind]) => process.exit(kind > 1 ? 1 : 0));
  return peer.on('lost', () => process.exit(1)).on('refused', console.error);
}

const connect = (path, handlers) => new Peer(net.connect(path), handlers, false);

module.exports = { Address, child, connect };
