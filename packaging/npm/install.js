// Puts the program in the place of pm.js, so that no node runs beside a session: a signal, and a kill, then meet
// pm itself. Where it cannot, pm.js stays and does.
"use strict";
const fs = require("fs");
const path = require("path");
const program = require("./bin/program.js");

const to = path.join(__dirname, "bin", "pm.js");
const beside = `${to}.new`;
try {
  const from = program();
  try {
    fs.linkSync(from, beside);
  } catch {
    fs.copyFileSync(from, beside);
  }
  fs.chmodSync(beside, 0o755);
  fs.renameSync(beside, to);
} catch (error) {
  fs.rmSync(beside, { force: true });
  console.error(`procfile-pm: a node process runs beside pm: ${error.message}`);
}
