// The application behind the proxy: node's HTTP server, whose parser is llhttp. It answers with what it was asked.
const http = require('node:http');

// A proxy adds these, and drops the rest: they are about one connection.
const NOT_TOLD = /^(connection|keep-alive|proxy-connection|te|upgrade|http2-settings|x-forwarded-.*)$/i;

const server = http.createServer({ maxHeaderSize: 256 << 10 }, (request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('error', () => {});
  request.on('end', () => {
    const raw = request.rawHeaders;
    const headers = [];
    for (let at = 0; at < raw.length; at += 2) {
      if (!NOT_TOLD.test(raw[at])) headers.push([raw[at].toLowerCase(), raw[at + 1]]);
    }
    const body = Buffer.concat(parts).toString('latin1');
    const { method, url, rawTrailers: trailers } = request;
    response.end(JSON.stringify({ method, url, headers: headers.sort(), trailers, body }));
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listens'));
