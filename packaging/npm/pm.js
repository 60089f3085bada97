#!/usr/bin/env node
// Where install.js could not put the program itself here (`npm install --ignore-scripts`): runs it as a child,
// passes signals on, and ends as it ends.
"use strict";
const { spawn } = require("child_process");
const { constants } = require("os");
const program = require("./program.js");

const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
// The terminal's own signals reach the child without help: it is in the same process group.
for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => {});
for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`error: pm cannot be started: ${error.message}`);
  process.exit(126);
});
child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
