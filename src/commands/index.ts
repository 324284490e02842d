/** The command families, in the order of Redis's groups. A new family is a file or folder here and a line in this list. */
import { bitmapCommands } from "./bitmaps/index.ts"
import { configCommands } from "./config.ts"
import { clientCommands } from "./connection/client.ts"
import { connectionCommands } from "./connection/connection.ts"
import { dumpCommands } from "./dump.ts"
import { geoCommands } from "./geo/index.ts"
import { hyperLogLogCommands } from "./hyperLogLog.ts"
import { keyCommands } from "./keys/index.ts"
import { objectCommands } from "./keys/object.ts"
import { persistenceCommands } from "./persistence.ts"
import { pubsubCommands } from "./pubsub.ts"
import { databaseCommands } from "./server/databases.ts"
import { sortedSetCommands } from "./sortedSets/index.ts"
import { streamCommands } from "./streams/index.ts"
import { stringCommands } from "./strings/index.ts"
import { transactionCommands } from "./transactions.ts"

export const families = [stringCommands, bitmapCommands, hyperLogLogCommands, sortedSetCommands, geoCommands, streamCommands, pubsubCommands, transactionCommands, keyCommands, objectCommands, connectionCommands, clientCommands, databaseCommands, configCommands, dumpCommands, persistenceCommands]
