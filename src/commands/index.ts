/** The command families, in the order in which COMMAND lists them. A new family is a file or folder here and a line in this list. */
import { aclCommands } from "./acl.ts"
import { bitmapCommands } from "./bitmaps/index.ts"
import { clusterCommands } from "./cluster.ts"
import { configCommands } from "./config.ts"
import { clientCommands } from "./connection/client.ts"
import { connectionCommands } from "./connection/connection.ts"
import { dumpCommands } from "./dump.ts"
import { geoCommands } from "./geo/index.ts"
import { hashCommands } from "./hashes/index.ts"
import { hyperLogLogCommands } from "./hyperLogLog.ts"
import { keyCommands } from "./keys/index.ts"
import { migrateCommands } from "./migrate/index.ts"
import { objectCommands } from "./keys/object.ts"
import { listCommands } from "./lists/index.ts"
import { persistenceCommands } from "./persistence.ts"
import { pubsubCommands } from "./pubsub.ts"
import { scriptingCommands } from "./scripting/index.ts"
import { commandCommands } from "./server/command.ts"
import { databaseCommands } from "./server/databases.ts"
import { debugCommands } from "./server/debug.ts"
import { failoverCommands } from "./server/failover.ts"
import { infoCommands } from "./server/info.ts"
import { latencyCommands } from "./server/latency.ts"
import { lolwutCommands } from "./server/lolwut.ts"
import { memoryCommands } from "./server/memory.ts"
import { moduleCommands } from "./server/module.ts"
import { monitorCommands } from "./server/monitor.ts"
import { replicaofCommands } from "./server/replicaof.ts"
import { replicationCommands } from "./server/replication.ts"
import { shutdownCommands } from "./server/shutdown.ts"
import { waitingCommands } from "./server/waiting.ts"
import { slowlogCommands } from "./server/slowlog.ts"
import { setCommands } from "./sets/index.ts"
import { sortedSetCommands } from "./sortedSets/index.ts"
import { streamCommands } from "./streams/index.ts"
import { stringCommands } from "./strings/index.ts"
import { transactionCommands } from "./transactions.ts"

export const families = [
  stringCommands,
  bitmapCommands,
  hyperLogLogCommands,
  listCommands,
  setCommands,
  sortedSetCommands,
  hashCommands,
  geoCommands,
  streamCommands,
  pubsubCommands,
  transactionCommands,
  scriptingCommands,
  keyCommands,
  objectCommands,
  connectionCommands,
  clientCommands,
  aclCommands,
  databaseCommands,
  debugCommands,
  infoCommands,
  shutdownCommands,
  replicationCommands,
  replicaofCommands,
  failoverCommands,
  clusterCommands,
  moduleCommands,
  waitingCommands,
  lolwutCommands,
  latencyCommands,
  memoryCommands,
  monitorCommands,
  slowlogCommands,
  commandCommands,
  configCommands,
  dumpCommands,
  migrateCommands,
  persistenceCommands,
]
