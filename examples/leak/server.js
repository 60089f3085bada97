// Keeps the body of every request for a report that nobody reads: a leak as one meets it.
//   POST /   takes a body, and says how many are kept
import http from 'node:http';

const NAME = process.env.PS || 'web';
const PORT = Number(process.env.PORT || 5000);
const kept = [];

const server = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  kept.push(Buffer.concat(parts));
  response.end(`${kept.length} kept\n`);
});
server.listen(PORT, '127.0.0.1', () => console.log(`${NAME} listening on port ${PORT} with nothing kept`));

process.on('SIGTERM', () => {
  console.log(`stopping with ${kept.length} kept`);
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
