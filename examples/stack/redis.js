// One command to Redis over a connection of its own. It neither waits for Redis nor tries again: pm sees to the order.
const net = require('node:net');

exports.redis = (...words) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(process.env.REDIS_URL);
    const socket = net.connect(Number(port), hostname);
    let reply = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(encode(words) + encode(['QUIT'])));
    socket.on('data', (text) => (reply += text));
    socket.on('error', reject);
    socket.on('close', () => {
      // The last line is the answer to QUIT, the one before it is the value.
      const lines = reply.split('\r\n').slice(0, -2);
      if (lines.length === 0 || reply[0] === '-') reject(new Error(`Redis: ${reply || 'no answer'}`));
      else resolve(lines.at(-1));
    });
  });

// An array of bulk strings, as Redis wants every command.
function encode(words) {
  const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join('')}`;
}
