/** Random requests of the string family. */
import * as fc from "fast-check"
import { argv, type Family, key, maybe, value } from "../Fuzz.ts"

export const strings: Family = {
  name: "strings",
  command: fc.oneof(argv("SET", key, value, maybe("EX", "1000"), maybe("NX"), maybe("GET")), argv("GET", key)),
}
