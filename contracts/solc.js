#!/usr/bin/env node
// The Solidity compiler of npm behind the command line that Brownie and
// evaluator/chain/solidity.py expect: `--version`, and `--standard-json` with the
// input on standard input. Imports are looked up in node_modules and beside this file.
"use strict";

const fs = require("fs");
const path = require("path");
const v8 = require("v8");

// The compiler runs once and for seconds only: making its own code faster takes longer
// than the faster code saves. A Node that knows no such flag goes on without it.
v8.setFlagsFromString("--liftoff-only");
v8.setFlagsFromString("--wasm-lazy-compilation");
const solc = require(path.join(__dirname, "node_modules", "solc"));

function findImport(name) {
  const roots = [path.join(__dirname, "node_modules"), __dirname, path.join(__dirname, "contracts")];
  for (const root of roots) {
    const file = path.resolve(root, name);
    // An import must not climb out of the folders it is looked up in.
    if (file.startsWith(root + path.sep) && fs.existsSync(file)) {
      return { contents: fs.readFileSync(file, "utf8") };
    }
  }
  return { error: `${name} was looked for in ${roots.join(", ")} and is in none` };
}

// What is asked for all files is given for those of the input only; of imported ones
// just the syntax tree. It saves half of the time, and Brownie takes every contract it
// is given for one of the project's own.
function narrow(input) {
  const all = input.settings.outputSelection["*"];
  if (!all) return input;
  const selection = { "*": { "": all[""] || ["ast"] } };
  for (const file of Object.keys(input.sources)) selection[file] = all;
  input.settings.outputSelection = selection;
  return input;
}

if (process.argv.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log(`Version: ${solc.version().replace(".Emscripten.clang", ".Linux.g++")}`);
} else if (process.argv.includes("--standard-json")) {
  const input = narrow(JSON.parse(fs.readFileSync(0, "utf8")));
  const output = solc.compile(JSON.stringify(input), { import: findImport });
  // writeSync, because a pipe may not be flushed when the process ends.
  const buffer = Buffer.from(output);
  for (let at = 0; at < buffer.length; ) {
    try {
      at += fs.writeSync(1, buffer, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
} else {
  console.error("usage: solc.js --version | --standard-json < input.json");
  process.exit(2);
}
