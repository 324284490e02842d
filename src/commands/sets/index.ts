/** Sets: SADD and the other 16 commands that work on them. What a set is made of is in store/SetValue.ts. */
import { combineCommands } from "./combine.ts"
import { memberCommands } from "./members.ts"
import { randomCommands } from "./random.ts"
import { scanCommands } from "./scan.ts"

export const setCommands = [...memberCommands, ...randomCommands, ...combineCommands, ...scanCommands]
