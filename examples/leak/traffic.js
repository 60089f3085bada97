// Posts a megabyte to the web process, again and again; PAUSE_MS is the wait between two.
const PAUSE_MS = Number(process.env.PAUSE_MS || 20);
// The web type stands before this one in the Procfile, 100 ports lower.
const WEB = `http://127.0.0.1:${Number(process.env.PORT || 5100) - 100}/`;
const BODY = Buffer.alloc(1024 * 1024, 'x');

const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
let stopping = false;
process.on('SIGTERM', () => { stopping = true; });

while (!stopping) {
  try {
    await (await fetch(WEB, { method: 'POST', body: BODY })).text();
  } catch {
    // It starts, or starts again: the next one may reach it.
  }
  await pause(PAUSE_MS);
}
