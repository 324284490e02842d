/**
 * Sessions that peers without tickets take up again, so that they need not shake hands in full: `tls-session-caching`. Peers with tickets
 * (all of TLS 1.3) carry theirs along, and nothing is kept for them.
 *
 * The invariant: no more than `sizeMax` are kept; the oldest goes.
 */
import type * as tls from "node:tls"

/** Where the encoded session of OpenSSL says its protocol: a sequence begins, its own version follows, then this one. */
const isTls13 = (session: Buffer): boolean => session.subarray(0, 16).includes(Buffer.of(2, 2, 3, 4))

/** `sizeMax` 0 is no limit. OpenSSL looks at the age of a session that is handed to it. */
export const keep = (server: tls.Server, sizeMax: number): void => {
  const sessions = new Map<string, Buffer>()
  server.on("newSession", (id, session, done) => {
    if (!isTls13(session)) {
      sessions.set(id.latin1Slice(), session)
      if (sizeMax > 0 && sessions.size > sizeMax) sessions.delete(sessions.keys().next().value!)
    }
    done()
  })
  server.on("resumeSession", (id, done) => {
    done(null, sessions.get(id.latin1Slice()) ?? null)
  })
}
