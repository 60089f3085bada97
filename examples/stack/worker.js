// Takes one job after the other. Without Redis it crashes, and pm starts it again when Redis is ready.
const { redis } = require('./redis');

async function main() {
  console.log('waiting for jobs');
  for (;;) {
    const job = await redis('BLPOP', 'jobs', 0);
    console.log(`did ${job}`);
  }
}

main();
