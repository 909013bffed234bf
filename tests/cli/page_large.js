// Whether the script of a page ($1) does with very many events, all of one trace, what it does with a
// few: in place of a browser's document there is one that keeps no more than what is looked at.
// TROUPE_TEST_SCALE=1 makes it half a million.
const fs = require('fs'), vm = require('vm');
const EVENTS = process.env.TROUPE_TEST_SCALE === '1' ? 500000 : 150000;
const must = (ok, what) => {
    if (!ok) {
        console.error(what);
        process.exit(1);
    }
};

const [, script] = /<script>([\s\S]*)<\/script>/.exec(fs.readFileSync(process.argv[2], 'utf8'));
const made = /^const E=\[[\s\S]*?^\];?$/m, first = /^\{k:"message".*\}/m.exec(script);
must(made.test(script) && first, 'the page has no list of events with a message in it');

const clicks = [], elements = {};
const element = () => ({
    dataset: {}, style: {}, textContent: '',
    setAttribute() {}, appendChild() {}, after() {}, append(...parts) { this.parts = parts; },
    addEventListener(kind, call) { clicks.push(call); },
    classList: {toggle() {}},
});
const document = {
    body: element(),
    createElement: element, createElementNS: element,
    getElementById: id => elements[id] ??= element(),
};
const message = vm.runInNewContext(`(${first[0]})`);
const context = vm.createContext({document, location: {hash: ''}, console});
context.events = Array.from({length: EVENTS}, (_, i) => ({...message, t: 2e6 + i, s: 1e6 + i, i: 'one', pa: 0, sp: 0}));
vm.runInContext(script.replace(made, () => 'const E=events;'), context);

must(document.body.dataset.rows === EVENTS, `${document.body.dataset.rows} rows`);
must(elements.sum.textContent.startsWith(`${EVENTS} events`), elements.sum.textContent);
clicks[EVENTS - 1](); // all that it belongs to is shown
const lines = elements.info.parts[0].textContent.split('\n').filter(line => line.startsWith('+'));
must(lines.length === EVENTS, `${lines.length} lines of what one belongs to`);
must(lines[0].startsWith('+0ns ') && lines[EVENTS - 1].startsWith(`+${((EVENTS - 1) / 1e3).toFixed(1)}us `), lines[EVENTS - 1]);
