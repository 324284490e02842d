/** Writes the generated parts of the README: `npm run readme`. */
import { readFileSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { fill, parts } from "./ReadmeParts.ts"

const path = new URL("../../README.md", import.meta.url)
const generated = await Effect.runPromise(parts)
const text = Object.entries(generated).reduce(
  (readme, [name, part]) => fill(readme, name, part),
  readFileSync(path, "utf8"),
)
writeFileSync(path, text)
