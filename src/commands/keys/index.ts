/** Commands on keys of any type. */
import { expirationCommands } from "./expiration.ts"
import { nameCommands } from "./names.ts"
import { scanningCommands } from "./scanning.ts"
import { sortCommands } from "./sort.ts"

export const keyCommands = [...nameCommands, ...expirationCommands, ...scanningCommands, ...sortCommands]
