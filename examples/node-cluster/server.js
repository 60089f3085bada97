// A clustered web server: WEB_CONCURRENCY workers accept on one PORT.
//   GET  /            a greeting
//   GET  /healthz     ok
//   GET  /config      what this process was given, as JSON
//   POST /jobs        queues the body as a job: 202 and its number
//   GET  /jobs/N      the job's result, or 404 while there is none
import cluster from 'node:cluster';
import http from 'node:http';
import v8 from 'node:v8';
import { Redis, url } from './redis.js';

const NAME = process.env.PS || 'web';
const PORT = Number(process.env.PORT || 5000);
const CONCURRENCY = Number(process.env.WEB_CONCURRENCY || 1);
const BODY_LIMIT = 64 * 1024;
const REDIS_PATIENCE_MS = 2000;
// Before a cluster worker that died is replaced, so that one that cannot start does not spin.
const REFORK_WAIT_MS = 500;

if (!Number.isInteger(CONCURRENCY) || CONCURRENCY < 1) {
  console.error(`WEB_CONCURRENCY '${process.env.WEB_CONCURRENCY}' is not a whole number from 1`);
  process.exit(1);
}
if (cluster.isPrimary) primary();
else worker();

function primary() {
  let stopping = false;
  let listening = 0;
  for (let i = 0; i < CONCURRENCY; i += 1) cluster.fork();

  cluster.on('listening', () => {
    listening += 1;
    if (listening === CONCURRENCY) console.log(`${NAME} listening on port ${PORT} with ${CONCURRENCY} cluster workers`);
  });
  cluster.on('exit', (dead, code, signal) => {
    // Exit code 0 is the answer to a stop: the signal reaches the workers as well as the primary,
    // and theirs may be seen here first.
    const crashed = code !== 0 || signal;
    if (stopping || !crashed) {
      if (Object.keys(cluster.workers).length === 0) process.exit(0);
      return;
    }
    console.error(`cluster worker ${dead.process.pid} died (${signal || `code ${code}`}), starting another`);
    // A port that is taken stays taken; the process manager decides whether to try again.
    if (listening === 0) process.exit(1);
    setTimeout(() => {
      if (!stopping) cluster.fork();
    }, REFORK_WAIT_MS);
  });
  const stop = () => {
    if (stopping) return;
    stopping = true;
    console.log('stopping');
    const workers = Object.values(cluster.workers);
    if (workers.length === 0) process.exit(0);
    for (const each of workers) each.process.kill('SIGTERM');
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function worker() {
  const redis = new Redis(url);
  const server = http.createServer((request, response) => {
    route(redis, request).then(
      ({ status = 200, body }) => reply(response, status, body),
      (error) => reply(response, error.status || 503, { error: error.message }),
    );
  });
  server.on('error', (error) => {
    console.error(`cannot listen on port ${PORT}: ${error.message}`);
    process.exit(1);
  });
  server.listen(PORT, '127.0.0.1');

  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    // No new connections; requests under way are answered; then this worker ends.
    server.close(() => {
      redis.close();
      process.exit(0);
    });
    server.closeIdleConnections();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function route(redis, request) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const ask = (...words) => redis.command(words, { patience: REDIS_PATIENCE_MS });
  const job = /^\/jobs\/(\d+)$/.exec(pathname);
  switch (true) {
    case request.method === 'GET' && pathname === '/':
      return { body: `Hello from ${NAME}, cluster worker ${cluster.worker.id}\n` };
    case request.method === 'GET' && pathname === '/healthz':
      return { body: 'ok\n' };
    case request.method === 'GET' && pathname === '/config':
      return { body: config() };
    case request.method === 'POST' && pathname === '/jobs': {
      const text = await bodyOf(request);
      const id = await ask('INCR', 'jobs:last');
      await ask('LPUSH', 'jobs', JSON.stringify({ id, text }));
      return { status: 202, body: { id } };
    }
    case request.method === 'GET' && job !== null: {
      const result = await ask('GET', `jobs:${job[1]}:result`);
      if (result === null) return { status: 404, body: { error: 'no result yet' } };
      return { body: { id: Number(job[1]), result } };
    }
    default:
      return { status: 404, body: { error: 'not found' } };
  }
}

function config() {
  return {
    heap_size_limit: v8.getHeapStatistics().heap_size_limit,
    WEB_CONCURRENCY: process.env.WEB_CONCURRENCY ?? null,
    execArgv: process.execArgv,
    NODE_OPTIONS: process.env.NODE_OPTIONS ?? null,
    MEMORY_AVAILABLE: process.env.MEMORY_AVAILABLE ?? null,
    PORT: process.env.PORT ?? null,
    PS: process.env.PS ?? null,
    pid: process.pid,
  };
}

async function bodyOf(request) {
  let length = 0;
  const parts = [];
  for await (const part of request) {
    length += part.length;
    if (length > BODY_LIMIT) throw Object.assign(new Error('the job is too long'), { status: 413 });
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function reply(response, status, body) {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
