// The API beside the dev server: GET /api/time.
const http = require('node:http');

const NAME = process.env.PS || 'api';
const PORT = Number(process.env.PORT || 5100);

const server = http.createServer((request, response) => {
  const isTime = request.method === 'GET' && request.url === '/api/time';
  response.writeHead(isTime ? 200 : 404, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(isTime ? { time: new Date().toISOString() } : { error: 'not found' }));
});
server.listen(PORT, '127.0.0.1', () => console.log(`${NAME} listening on port ${PORT}`));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
