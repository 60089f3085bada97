// Puts the program in the place of the script bin/pm, so that no node runs beside a session: a signal, and a kill, then
// meet pm itself. Where it cannot, the script stays and does, and the installation goes on. The name has no `.js`, by which
// Yarn would take the program for a script.
"use strict";
const fs = require("fs");
const path = require("path");
const program = require("./bin/program.js");

const to = path.join(__dirname, "bin", "pm");
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
  console.error(`procfile-pm: warning: the program stays where it is: ${error.message}`);
}
