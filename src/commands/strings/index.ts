/**
 * The string commands, a file for each way of using a string: as a whole, several at once, in parts, as a counter, against
 * another.
 *
 * The idea to hold: a string is stored as a number, a flat byte string or a `StringBuffer` (store/Value.ts), and OBJECT
 * ENCODING tells which; so it matters which form a command leaves behind.
 */
import { counters } from "./counters.ts"
import { lcs } from "./lcs.ts"
import { multiple } from "./multiple.ts"
import { parts } from "./parts.ts"
import { values } from "./values.ts"

export const stringCommands = [...values, ...multiple, ...parts, ...counters, lcs]
