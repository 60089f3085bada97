// Returns the path of the program, which the package of this system holds; npm installs only that one.
"use strict";
module.exports = function program() {
  const name = `procfile-pm-${process.platform}-${process.arch}`;
  try {
    return require.resolve(`${name}/bin/pm`);
  } catch {
    console.error(`error: \`${name}\` is not installed`);
    console.error("hint: npm leaves it out with --omit=optional; on systems that have no such package: cargo install procfile-pm");
    process.exit(1);
  }
};
