// A Redis client of a few lines: RESP2 over one TCP connection, which it makes again when it breaks.
// So neither the order in which processes start nor a restart of Redis matters.
import net from 'node:net';

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;

export class Redis {
  #host;
  #port;
  #socket = null;
  #ready = false;
  #closed = false;
  #wait = FIRST_WAIT_MS;
  #retry = null;
  #received = Buffer.alloc(0);
  #unsent = []; // commands that wait for a connection
  #unanswered = []; // commands that Redis has, in order

  constructor(url) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port || 6379);
    this.#connect();
  }

  // Sends one command; resolves to the reply. Without a connection it waits for one, for at most
  // `patience` milliseconds. A command is never sent twice: where the connection breaks before the
  // reply has come, it is rejected, and the caller knows whether it may be repeated.
  command(words, { patience = Infinity } = {}) {
    if (this.#closed) return Promise.reject(new Error('the Redis client is closed'));
    return new Promise((resolve, reject) => {
      const request = { text: encode(words), resolve, reject, timer: null };
      if (this.#ready) return this.#send(request);
      this.#unsent.push(request);
      if (patience === Infinity) return;
      request.timer = setTimeout(() => {
        this.#unsent = this.#unsent.filter((other) => other !== request);
        reject(new Error('Redis cannot be reached'));
      }, patience);
    });
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
    this.#fail([...this.#unsent, ...this.#unanswered], 'the Redis client was closed');
    this.#unsent = [];
    this.#unanswered = [];
  }

  #connect() {
    const socket = net.connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    socket.on('connect', () => {
      this.#ready = true;
      this.#wait = FIRST_WAIT_MS;
      this.#received = Buffer.alloc(0);
      for (const request of this.#unsent.splice(0)) this.#send(request);
    });
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', () => {}); // 'close' follows and does what is to be done
    socket.on('close', () => this.#broken());
  }

  #broken() {
    this.#ready = false;
    this.#fail(this.#unanswered.splice(0), 'the connection to Redis broke');
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.#connect(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }

  #fail(requests, reason) {
    for (const request of requests) {
      clearTimeout(request.timer);
      request.reject(new Error(reason));
    }
  }

  #send(request) {
    clearTimeout(request.timer);
    this.#unanswered.push(request);
    this.#socket.write(request.text);
  }

  #read(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    let at = 0;
    for (let reply; (reply = decode(this.#received, at)) !== null; ) {
      at = reply.next;
      const request = this.#unanswered.shift();
      if (reply.value instanceof Error) request?.reject(reply.value);
      else request?.resolve(reply.value);
    }
    this.#received = this.#received.subarray(at);
  }
}

// An array of bulk strings, as Redis wants every command.
function encode(words) {
  const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join('')}`;
}

// Reads the reply that starts at `at`; null where it has not all come.
function decode(buffer, at) {
  const end = buffer.indexOf('\r\n', at);
  if (end < 0) return null;
  const text = buffer.toString('utf8', at + 1, end);
  const next = end + 2;
  switch (String.fromCharCode(buffer[at])) {
    case '+':
      return { value: text, next };
    case '-':
      return { value: new Error(text), next };
    case ':':
      return { value: Number(text), next };
    case '$': {
      const length = Number(text);
      if (length < 0) return { value: null, next };
      if (buffer.length < next + length + 2) return null;
      return { value: buffer.toString('utf8', next, next + length), next: next + length + 2 };
    }
    case '*': {
      if (Number(text) < 0) return { value: null, next };
      const values = [];
      let from = next;
      for (let left = Number(text); left > 0; left -= 1) {
        const item = decode(buffer, from);
        if (item === null) return null;
        values.push(item.value);
        from = item.next;
      }
      return { value: values, next: from };
    }
    default:
      return { value: new Error(`Redis sent what is not RESP: ${text}`), next };
  }
}

export const url = process.env.REDIS_URL || `redis://127.0.0.1:${process.env.REDIS_PORT || 6379}`;
