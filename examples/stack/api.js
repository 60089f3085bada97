// Refuses to start on an old schema; is healthy as long as Redis answers.
const http = require('node:http');
const { redis } = require('./redis');

async function main() {
  const schema = await redis('GET', 'schema');
  if (schema !== '7') throw new Error(`schema 7 is needed, and there is ${schema}`);
  const server = http.createServer(async (request, response) => {
    try {
      if (request.method === 'POST') await redis('RPUSH', 'jobs', request.url);
      response.end(`${await redis('GET', 'schema')}\n`);
    } catch (error) {
      response.writeHead(503).end(`${error.message}\n`);
    }
  });
  server.listen(process.env.PORT, '127.0.0.1', () => console.log(`serving schema ${schema}`));
}

main();
