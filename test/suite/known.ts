/** What redis's own tests ask that this server answers otherwise on purpose, or that only redis-server's program can answer. */

export interface Difference {
  readonly unit: string
  readonly test: string
  readonly reason: string
}

const differing = (unit: string, reason: string, ...tests: ReadonlyArray<string>): ReadonlyArray<Difference> =>
  tests.map((test) => ({ unit, test, reason }))

const log = "looks for redis-server's words in the log"
const tables = "asks for redis-server's hash tables (DEBUG HTSTATS)"

export const differences: ReadonlyArray<Difference> = [
  ...differing("unit/auth", log, "MASTERAUTH test with binary password"),
  ...differing("unit/type/set", tables, "SRANDMEMBER with a dict containing long chain"),
  ...differing(
    "unit/type/list",
    "DEBUG SLEEP holds requests back, and a transaction sees one instant",
    "MULTI + LPUSH + EXPIRE + DEBUG SLEEP on blocked client, key already expired",
  ),
  ...differing("unit/other", tables, "Don't rehash if redis has child process"),
  ...differing("unit/other", "the title names this program", "Process title set as expected"),
  ...differing(
    "unit/multi",
    "consumers and entries-read of streams are told to replicas, which redis-server loses",
    "MULTI propagation of XREADGROUP",
  ),
  ...differing(
    "unit/multi",
    "counts child processes; there are none",
    "MULTI with BGREWRITEAOF",
    "MULTI with config set appendonly",
  ),
  ...differing(
    "unit/latency-monitor",
    "a million members expire faster than the test expects",
    "LATENCY of expire events are correctly collected",
  ),
  ...differing(
    "unit/lazyfree",
    "large sets, hashes and sorted sets are freed later, streams at once",
    "lazy free a stream with all types of metadata",
  ),
  ...differing(
    "unit/lazyfree",
    "begins when a test has waited which is not run",
    "lazy free a stream with deleted cgroup",
  ),
  ...differing(
    "unit/scripting",
    "a script cannot pause inside of pcall",
    "Timedout read-only scripts can be killed by SCRIPT KILL even when use pcall",
  ),
  ...differing(
    "unit/scripting",
    "a server that stops accepts a connection and closes it, instead of refusing it",
    "SHUTDOWN NOSAVE can kill a timedout script anyway",
  ),
  ...differing(
    "unit/scripting",
    "there is no debugger of scripts",
    "Test scripting debug protocol parsing",
    "Test scripting debug lua stack overflow",
  ),
  ...differing("unit/scripting", "DEBUG SLEEP cannot hold a script", "Script block the time during execution"),
  ...differing(
    "unit/scripting",
    "the interpreter's memory grows in larger steps than the test allows",
    "EVAL does not leak in the Lua stack",
  ),
  ...differing(
    "unit/obuf-limits",
    "such a count is refused before it begins",
    "Obuf limit, HRANDFIELD with huge count stopped mid-run",
  ),
  ...differing("unit/aofrw", log, "Turning off AOF kills the background writing child if any"),
  ...differing(
    "integration/failover",
    log,
    "failover to a replica with force works",
    "failover aborts if target rejects sync request",
  ),
  ...differing(
    "integration/failover",
    "needs the roles that a test leaves which is not run",
    "failover with timeout aborts if replica never catches up",
    "failovers can be aborted",
  ),
  ...differing(
    "integration/corrupt-dump",
    log,
    "corrupt payload: load corrupted rdb with no CRC - #3505",
    "corrupt payload: load corrupted rdb with empty keys",
    "corrupt payload: listpack invalid size header",
    "corrupt payload: listpack too long entry prev len",
    "corrupt payload: stream with duplicate consumers",
    "corrupt payload: hash empty zipmap",
    "corrupt payload: fuzzer findings - zset ziplist entry lensize is 0",
    "corrupt payload: fuzzer findings - zset ziplist invalid tail offset",
  ),
  ...differing(
    "integration/corrupt-dump",
    "expects redis-server to end by an assertion; here the payload is refused",
    "corrupt payload: listpack too long entry len",
    "corrupt payload: listpack very long entry len",
    "corrupt payload: hash listpack with duplicate records - convert",
    "corrupt payload: fuzzer findings - NPD in streamIteratorGetID",
    "corrupt payload: fuzzer findings - listpack NPD on invalid stream",
    "corrupt payload: fuzzer findings - stream bad lp_count - unsanitized",
    "corrupt payload: fuzzer findings - infinite loop",
    "corrupt payload: fuzzer findings - negative reply length",
    "corrupt payload: fuzzer findings - stream with no records",
    "corrupt payload: fuzzer findings - stream listpack valgrind issue",
    "corrupt payload: fuzzer findings - stream listpack lpPrev valgrind issue",
    "corrupt payload: fuzzer findings - gcc asan reports false leak on assert",
    "corrupt payload: fuzzer findings - lpFind invalid access",
  ),
  ...differing(
    "integration/aof",
    log,
    "Bad format: Server should have logged an error",
    "Unfinished MULTI: Server should have logged an error",
    "Short read: Server should have logged an error",
    "Unknown command: Server should have logged an error",
  ),
  ...differing("integration/aof", "there is no DEBUG AOF-FLUSH-SLEEP", "AOF fsync always barrier issue"),
  ...differing(
    "integration/aof",
    "a script of a log that is read again does not pause for others",
    "EVAL timeout with slow verbatim Lua script from AOF",
  ),
  ...differing(
    "integration/aof-multi-part",
    log,
    "Multi Part AOF can't load data when some file missing",
    "Multi Part AOF can't load data when the sequence not increase monotonically",
    "Multi Part AOF can't load data when there are blank lines in the manifest file",
    "Multi Part AOF can't load data when there is a duplicate base file",
    "Multi Part AOF can't load data when the manifest format is wrong (type unknown)",
    "Multi Part AOF can't load data when the manifest format is wrong (missing key)",
    "Multi Part AOF can't load data when the manifest format is wrong (line too short)",
    "Multi Part AOF can't load data when the manifest format is wrong (line too long)",
    "Multi Part AOF can't load data when the manifest format is wrong (odd parameter)",
    "Multi Part AOF can't load data when the manifest file is empty",
    "Multi Part AOF can't load data when the manifest contains the old AOF file name but the file does not exist in server dir and aof dir",
  ),
  ...differing(
    "integration/aof-multi-part",
    "a server that makes its first log answers LOADING for some milliseconds",
    "Multi Part AOF can start when no aof and no manifest",
  ),
  ...differing(
    "integration/aof-multi-part",
    "two servers may not share a folder",
    "Multi Part AOF can upgrade when when two redis share the same server dir (redis2)",
  ),
  ...differing(
    "integration/aof-multi-part",
    "kills the child process that writes; there is none",
    "AOF multiple rewrite failures will open multiple INCR AOFs",
    "AOF will trigger limit when AOFRW fails many times",
    "AOF will open a temporary INCR AOF to accumulate data until the first AOFRW success when AOF is dynamically enabled",
  ),
  ...differing(
    "integration/aof-multi-part",
    "goes on from the files that a test left out here leaves behind",
    "AOF rewrite doesn't open new aof when AOF turn off",
    "AOF can produce consecutive sequence number after reload",
    "AOF enable during BGSAVE will not write data util AOFRW finish",
  ),
  ...differing("integration/aof-multi-part", "aof-disable-auto-gc is always no", "AOF enable/disable auto gc"),
  ...differing(
    "integration/replication",
    log,
    "Slave is able to detect timeout during handshake",
    "diskless no replicas drop during rdb pipe",
    "diskless slow replicas drop during rdb pipe",
    "diskless fast replicas drop during rdb pipe",
    "diskless all replicas drop during rdb pipe",
    "diskless timeout replicas drop during rdb pipe",
    "replica do not write the reply to the replication link - SYNC (_addReplyToBufferOrList)",
    "replica do not write the reply to the replication link - SYNC (addReplyDeferredLen)",
    "replica do not write the reply to the replication link - PSYNC (_addReplyToBufferOrList)",
    "replica do not write the reply to the replication link - PSYNC (addReplyDeferredLen)",
    "PSYNC with wrong offset should throw error",
    "diskless replication read pipe cleanup",
  ),
  ...differing(
    "integration/replication",
    "kills the child process that writes; there is none",
    "diskless replication child being killed is collected",
  ),
  ...differing(
    "integration/replication",
    "sets hz, which is not known, and looks for redis-server's words in the log",
    "diskless loading short read",
  ),
  ...differing(
    "integration/replication",
    "a snapshot for replicas is made in memory, and given up when none wants it any more",
    "Kill rdb child process if its dumping RDB is not useful",
  ),
  ...differing(
    "integration/replication",
    "sets watchdog-period, which interrupts the program to log its stack",
    "replica can handle EINTR if use diskless load",
  ),
  ...differing(
    "integration/replication-4",
    "asks for DEBUG REPLICATE",
    "Data divergence can happen under default conditions",
  ),
  ...differing(
    "integration/replication-buffer",
    "what changes during a replica's snapshot is kept and counted for each replica, apart from the backlog",
    "All replicas share one global replication buffer",
    "Replication backlog size can outgrow the backlog limit config",
    "Replica could use replication buffer (beyond backlog config) for partial resynchronization",
    "Replication backlog memory will become smaller if disconnecting with replica",
  ),
  ...differing(
    "integration/replication-buffer",
    "needs the replica stopped that the test before it stops, which is not run",
    "Replication buffer will become smaller when no replica uses",
  ),
  ...differing("integration/dismiss-mem", "lists are not compressed", "dismiss all data types memory"),
  ...differing(
    "unit/introspection",
    "keyspace and recover-to cannot be set, beside what the test knows",
    "CONFIG sanity",
  ),
  ...differing(
    "unit/introspection",
    "what stops a start is told in one line, in other words",
    "redis-server command line arguments - error cases",
  ),
  ...differing(
    "unit/introspection",
    "without a settings file that says more the server listens on this machine only",
    "cannot modify protected configuration - local",
  ),
  ...differing(
    "unit/shutdown",
    "looks for a child process and the file it writes",
    "Temp rdb will be deleted if we use bg_unlink when shutdown",
    "Temp rdb will be deleted in signal handle",
  ),
  ...differing(
    "unit/shutdown",
    "holds a signal back with what runs ten times a second in redis-server (DEBUG PAUSE-CRON)",
    "SHUTDOWN ABORT can cancel SIGTERM",
  ),
  ...differing(
    "unit/shutdown",
    log,
    "SHUTDOWN will abort if rdb save failed on signal",
    "SHUTDOWN can proceed if shutdown command was with nosave",
  ),
  ...differing(
    "unit/client-eviction",
    "of a client that leaves replies unread no more is read when a megabyte waits, so they cannot grow without end",
    "client evicted due to output buf",
    "client total memory grows during client no-evict",
    "client total memory grows during maxmemory-clients disabled",
  ),
  ...differing(
    "unit/client-eviction",
    "memory for an argument is taken as it arrives, and not when its length is told",
    "client evicted due to percentage of maxmemory",
  ),
  ...differing(
    "unit/tracking",
    "holds back what runs ten times a second in redis-server (DEBUG PAUSE-CRON)",
    "Regression test for #11715",
  ),
  ...differing(
    "unit/client-eviction",
    "holds back what runs ten times a second in redis-server (DEBUG PAUSE-CRON)",
    "client evicted due to tracking redirection",
  ),
  ...differing(
    "unit/networking",
    "without a settings file the server listens on this machine only",
    "Default bind address configuration handling",
    "Protected mode works as expected",
  ),
  ...differing("unit/oom-score-adj", "there are no child processes", "CONFIG SET oom-score-adj works as expected"),
  ...differing("integration/rdb", log, "Server should not start if RDB is corrupted"),
  ...differing("integration/rdb", "asks how much a child process has copied", "Test child sending info"),
  ...differing(
    "integration/rdb",
    "kills the child process that writes; there is none",
    "failed bgsave prevents writes",
  ),
]

/** Units that are not run, and why. */
export const leftOutUnits: ReadonlyMap<string, string> = new Map([
  ["unit/printver", "prints the version and tests nothing"],
  ["unit/cluster", "starts a cluster"],
  ["unit/cluster-scripting", "starts a cluster"],
  ["unit/cluster/misc", "starts a cluster"],
  ["unit/cluster/links", "starts a cluster"],
  ["unit/querybuf", "asks for the size of redis-server's buffers for requests"],
  ["unit/replybufsize", "asks for the size of redis-server's buffers for replies"],
  ["unit/tls", "needs a run under TLS"],
  ["integration/logging", "asks for the stack that redis-server logs when it crashes"],
])

/** Units that take few seconds each, for every change. */
export const shortUnits: ReadonlyArray<string> = [
  "unit/protocol",
  "unit/keyspace",
  "unit/info-command",
  "unit/type/incr",
  "unit/type/string",
  "unit/type/hash",
  "unit/type/stream-cgroups",
  "unit/sort",
  "unit/quit",
  "unit/pubsub",
  "unit/pubsubshard",
  "unit/slowlog",
  "unit/functions",
]
