/** Who the server says it is, in HELLO, INFO and the snapshots it writes: the version of Redis whose commands it knows. */
export const serverName = "tiny-redis"
export const redisVersion = "7.4.0"
