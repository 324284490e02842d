/** Commands on keys of any type. */
import { expirationCommands } from "./expiration.ts"
import { nameCommands } from "./names.ts"
import { scanningCommands } from "./scanning.ts"

export const keyCommands = [...nameCommands, ...expirationCommands, ...scanningCommands]
