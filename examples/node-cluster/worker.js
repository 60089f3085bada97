// Takes jobs from the Redis list `jobs`, one at a time, and stores each result.
// SETNX makes sure that a job is done once, also where it was queued twice.
import { Redis, url } from './redis.js';

const NAME = process.env.PS || 'worker';
// How long one BRPOP blocks: also how long a stop may take while there is no job.
const BRPOP_SECONDS = 1;
const RETRY_WAIT_MS = 200;

const redis = new Redis(url);
let stopping = false;

function stop() {
  if (stopping) return;
  stopping = true;
  console.log('finishing, then stopping');
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

async function next() {
  const popped = await redis.command(['BRPOP', 'jobs', BRPOP_SECONDS], { patience: BRPOP_SECONDS * 1000 });
  return popped === null ? null : JSON.parse(popped[1]);
}

async function work(job) {
  if ((await redis.command(['SETNX', `jobs:${job.id}:taken`, NAME])) === 0) return;
  const result = [...String(job.text)].reverse().join('');
  await redis.command(['SET', `jobs:${job.id}:result`, result]);
  await redis.command(['INCR', 'jobs:done']);
  const done = await redis.command(['GET', 'jobs:done']);
  console.log(`job ${job.id} done, ${done} in all`);
}

let reached = null; // whether Redis was reached at the last attempt; said only when it changes
while (!stopping) {
  try {
    const job = await next();
    if (reached !== true) console.log(`waiting for jobs at ${new URL(url).host}`);
    reached = true;
    if (job !== null) await work(job);
  } catch (error) {
    if (stopping) break;
    if (reached !== false) console.log(`no jobs: ${error.message}`);
    reached = false;
    await pause(RETRY_WAIT_MS);
  }
}
redis.close();
