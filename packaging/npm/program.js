// Returns the path of the program, which the package of this system holds; npm installs only that one.
"use strict";
module.exports = function program() {
  const name = `procfile-pm-${process.platform}-${process.arch}`;
  try {
    return require.resolve(`${name}/bin/pm`);
  } catch {
    throw new Error(`\`${name}\` is not installed`);
  }
};
