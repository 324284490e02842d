/**
 * Makes `test/fixtures/redis-7.0.15.rdb` anew: the data set of Dataset.ts as the installed redis-server saves it. To be run with
 * `npx vite-node --script test/support/recordSnapshot.ts` when the data set has changed.
 */
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { fill } from "./Dataset.ts"
import * as RealServer from "./RealServer.ts"

const redis = await RealServer.start()
const client = await redis.connect()
await fill(client)
await client.run("SAVE")
copyFileSync(join(redis.directory, "dump.rdb"), join(import.meta.dirname, "..", "fixtures", "redis-7.0.15.rdb"))
await redis.stop()
process.exit(0)
