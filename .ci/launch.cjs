#!/usr/bin/env node
/**
 * `dist/bin/main.js`: runs the program beside it, with what V8 has compiled of it before. `bundle.mjs` puts the name in, which tells of
 * the program's contents, so compiled code is never that of another program; V8 itself passes over what another version of it or
 * other flags have made, and compiles anew.
 */
const { readFileSync } = require("node:fs")
const { join } = require("node:path")
const { Script } = require("node:vm")

const file = join(__dirname, "PROGRAM.cjs")

const compiled = () => {
  try {
    return readFileSync(`${file}.compiled`)
  } catch {
    return undefined
  }
}

// All of it is ASCII: read as such it is one byte a char, in the file and in memory.
const source = `(function (require, __filename, __dirname) {${readFileSync(file, "latin1")}\n})`
const cachedData = compiled()

const script = new Script(source, { filename: file, ...(cachedData === undefined ? {} : { cachedData }) })

/** For `precompile.mjs`. */
exports.script = script

script.runInThisContext()(require, file, __dirname)
