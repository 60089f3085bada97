// Asks the API once before it serves, and for every page.
const http = require('node:http');

const ask = async (path, method) => {
  const answer = await fetch(process.env.API_URL + path, { method });
  if (!answer.ok) throw new Error(`the API gave ${answer.status}`);
  return answer.text();
};

async function main() {
  const schema = await ask('/schema');
  const server = http.createServer(async (request, response) => {
    try {
      response.end(await ask(request.url, request.method));
    } catch (error) {
      response.writeHead(502).end(`${error.message}\n`);
    }
  });
  server.listen(process.env.PORT, '127.0.0.1', () => console.log(`pages of schema ${schema.trim()}`));
}

main();
