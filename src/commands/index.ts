/** The command families, in the order of Redis's groups. A new family is a file or folder here and a line in this list. */
import { connectionCommands } from "./connection.ts"
import { keyCommands } from "./keys.ts"
import { stringCommands } from "./strings.ts"

export const families = [stringCommands, keyCommands, connectionCommands]
