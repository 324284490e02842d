/**
 * Makes a file of `test/fixtures` anew, named after the version of the redis-server that is first on the PATH: the data set of Dataset.ts
 * as it saves it, from 7.4 on with deadlines of fields. To be run with `npx vite-node --script test/support/recordSnapshot.ts` when the
 * data set has changed.
 */
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { fieldDeadlines, fill } from "./Dataset.ts"
import * as RealServer from "./RealServer.ts"

const redis = await RealServer.start()
const client = await redis.connect()
const info = await client.run("INFO", "server")
const version = /^redis_version:((\d+)\.(\d+)\S*)/m.exec(info._tag === "Bulk" ? info.value : "")
if (version === null) throw new Error("INFO tells no version")
await fill(client)
if (Number(version[2]) * 100 + Number(version[3]) >= 704)
  for (const request of fieldDeadlines) await client.run(...request)
await client.run("SAVE")
copyFileSync(join(redis.directory, "dump.rdb"), join(import.meta.dirname, "..", "fixtures", `redis-${version[1]}.rdb`))
await redis.stop()
process.exit(0)
