// Whether a file is what Chrome's trace viewer and Perfetto take: the Trace Event Format, with
// slices that nest on their thread, pairs that are closed, and flows that begin before they end.
const events = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8')).traceEvents;
const must = (ok, what, e) => {
    if (!ok) {
        console.error(`${what}: ${JSON.stringify(e)}`);
        process.exit(1);
    }
};
const open = new Map(), begun = new Map(), ends = new Map(), named = new Set();
let slices = 0, flows = 0;
must(Array.isArray(events) && events.length > 0, 'no events', events);
for (const e of events) {
    must(typeof e.ph === 'string' && Number.isInteger(e.pid) && Number.isInteger(e.tid) && e.tid > 0,
        'ph, pid, tid', e);
    must(typeof e.name === 'string' && e.name !== '', 'name', e);
    if (e.ph === 'M') {
        must(e.name === 'thread_name' && typeof e.args.name === 'string', 'metadata', e);
        named.add(`${e.pid} ${e.tid}`);
        continue;
    }
    must(Number.isFinite(e.ts) && e.ts >= 0, 'ts', e);
    must(named.has(`${e.pid} ${e.tid}`), 'a thread without a name', e);
    const id = `${e.cat} ${e.id}`, thread = `${e.pid} ${e.tid}`;
    if (e.ph === 'X') {
        must(e.dur >= 0, 'dur', e);
        must((ends.get(thread) ?? 0) <= e.ts + 0.5, 'slices overlap', e); // to 16 ticks each
        ends.set(thread, e.ts + e.dur);
        slices++;
    } else if (e.ph === 'b') {
        open.set(id, e.ts);
    } else if (e.ph === 'e') {
        must(open.get(id) <= e.ts, 'e without b', e);
        open.delete(id);
    } else if (e.ph === 's') {
        begun.set(id, e.ts);
    } else if (e.ph === 'f') {
        must(e.bp === 'e', 'bp', e);
        if (begun.has(id)) {
            must(begun.get(id) <= e.ts + 0.5, 'a flow ends before it begins', e);
            flows++;
        }
    } else {
        must(e.ph === 'i', 'an unknown phase', e);
    }
}
must(open.size === 0, 'not closed', [...open]);
must(slices > 0 && flows > 0, 'no slices or flows', {slices, flows});
