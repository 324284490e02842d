#!/usr/bin/env node
/**
 * `dist/bin/main.js`: runs the program beside it, with what V8 has compiled of it before. `bundle.mjs` puts the name in, which tells of
 * the program's contents, so compiled code is never that of another program; V8 itself passes over what another version of it or
 * other flags have made, and compiles anew.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { constants, Script } from "node:vm"

const file = fileURLToPath(new URL("./PROGRAM.cjs", import.meta.url))

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

/** For `precompile.mjs`. */
export const script = new Script(source, {
  filename: file,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  ...(cachedData === undefined ? {} : { cachedData }),
})

script.runInThisContext()(createRequire(file), file, dirname(file))
