// An HTTP server on Node's cluster: `node http_node.js ADDRESS FILE WORKERS` prints where it listens.
// One worker is this process itself.
const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');

const [address, file, workers] = process.argv.slice(2);
const port = Number(address.split(':').pop());
let forked = 0;

function answer(request, response) {
    if (request.url === '/') {
        response.setHeader('Content-Type', 'text/plain');
        response.end(`Handled by ${process.pid}\n`);
        return;
    }
    fs.stat(file, (error, info) => {
        response.setHeader('Content-Length', info.size);
        fs.createReadStream(file).pipe(response);
    });
}

if (cluster.isPrimary && Number(workers) > 1) {
    for (let i = 0; i < Number(workers); i++)
        cluster.fork();
    cluster.on('listening', (worker, at) => {
        if (++forked === Number(workers))
            console.log(`tcp://127.0.0.1:${at.port}`);
    });
    process.on('SIGTERM', () => {
        for (const id in cluster.workers)
            cluster.workers[id].process.kill('SIGTERM');
        process.exit(0);
    });
} else {
    const server = http.createServer(answer);
    server.listen(port, '127.0.0.1', 511, () => {
        if (cluster.isPrimary)
            console.log(`tcp://127.0.0.1:${server.address().port}`);
    });
}
