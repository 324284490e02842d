/**
 * TLS: who is let in and by what means, and settings that change while the server runs. What a handshake does that fails or never ends is
 * in tlsHandshake.test.ts, what holds over TCP as well in connectionLife.test.ts.
 */
import { createPrivateKey } from "node:crypto"
import { once } from "node:events"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type * as tls from "node:tls"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { createClient } from "redis"
import { Redis } from "ioredis"
import * as Reply from "../src/codec/Reply.ts"
import type { Values } from "../src/config/Config.ts"
import { SocketError } from "../src/socket/Addresses.ts"
import * as Server from "../src/Server.ts"
import { Listener } from "../src/socket/Listener.ts"
import * as RealServer from "./support/RealServer.ts"
import { type TestClient, testSettings } from "./support/TestServer.ts"
import * as Tls from "./support/Tls.ts"
import { served, servedLive } from "./support/TlsServer.ts"

const folder = mkdtempSync(join(tmpdir(), "tiny-redis-tls-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, contents: string | Buffer): string => {
  writeFileSync(join(folder, name), contents)
  return join(folder, name)
}

const refusal = (setting: string, reason: string) => ({
  code: "ERR",
  message: `CONFIG SET failed (possibly related to argument '${setting}') - ${reason}`,
})
const notUpdated = "Unable to update TLS configuration. Check server logs."

/** Whether a connection is of use: hands are shaken, and PING is answered. */
const isServed = (port: number, options: tls.ConnectionOptions = {}): Promise<boolean> =>
  Tls.connectTls(port, options).then(
    async (client) => {
      const reply = await client.run("PING").catch(() => Reply.nil)
      client.destroy()
      return reply === Reply.pong || (reply._tag === "Simple" && reply.value === "PONG")
    },
    () => false,
  )

describe("a server under TLS", () => {
  it.live("with port 0 serves nothing else, and says where", () =>
    servedLive(async ({ port, listener, connect }) => {
      expect(listener.addresses).toEqual([`127.0.0.1:${port} (TLS)`])
      expect(listener.port).toBe(0)
      const client = await connect()
      const info = await client.run("INFO", "server")
      expect("value" in info && info.value).toContain(`tcp_port:${port}\r\n`)
      const list = await client.run("CLIENT", "INFO")
      expect("value" in list && list.value).toMatch(
        new RegExp(`^id=\\d+ addr=127\\.0\\.0\\.1:\\d+ laddr=127\\.0\\.0\\.1:${port} fd=\\d+ name= .*flags=N `),
      )
      client.destroy()
    }),
  )

  it.live("serves node-redis and ioredis", () =>
    servedLive(async ({ port }) => {
      const ca = readFileSync(Tls.certificateFile("server"))
      const nodeRedis = createClient({ url: `rediss://localhost:${port}`, RESP: 3, socket: { tls: true, ca } })
      await nodeRedis.connect()
      await nodeRedis.set("k", "v")
      const ioredis = new Redis({ port, tls: { ca, servername: "localhost" } })
      expect(await ioredis.get("k")).toBe("v")
      const message = new Promise((resolve) => ioredis.once("message", (_, text) => resolve(text)))
      await ioredis.subscribe("news")
      await nodeRedis.publish("news", "hello")
      expect(await message).toBe("hello")
      await ioredis.quit()
      await nodeRedis.close()
    }),
  )

  it.live("answers pipelines of thousands and values of megabytes to several clients at once", () =>
    servedLive(async ({ connect }) => {
      const clients = await Promise.all([connect(), connect(), connect()])
      const large = "\xff\0x".repeat(1_000_000)
      await Promise.all(
        clients.map(async (client, n) => {
          client.send("SET", `large:${n}`, large)
          for (let i = 0; i < 5000; i++) client.send("RPUSH", `list:${n}`, `${i}`)
          client.send("GET", `large:${n}`)
          expect(await client.receive()).toEqual(Reply.ok)
          for (let i = 0; i < 5000; i++) expect(await client.receive()).toEqual(Reply.int(i + 1))
          const last = await client.receive()
          expect("value" in last && last.value === large).toBe(true)
          client.destroy()
        }),
      )
    }),
  )
})

describe("settings at the start", () => {
  const garbage = file("garbage.pem", "nothing of use")
  const locked = file(
    "locked.key",
    createPrivateKey(readFileSync(Tls.keyFile("server"))).export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "sesame",
    }),
  )

  it.effect.each<readonly [Partial<Values>, string]>([
    [{ tlsCertFile: "" }, "there is no tls-cert-file"],
    [{ tlsKeyFile: "" }, "there is no tls-key-file"],
    [{ tlsCertFile: "/nowhere" }, "tls-cert-file /nowhere: No such file or directory"],
    [{ tlsCertFile: garbage }, `tls-cert-file ${garbage} holds no certificate that can be read`],
    [{ tlsKeyFile: garbage }, `tls-key-file ${garbage} holds no private key that can be read`],
    [{ tlsKeyFile: Tls.keyFile("client") }, `tls-key-file ${Tls.keyFile("client")} is not the key of tls-cert-file`],
    [{ tlsKeyFile: locked }, `tls-key-file ${locked} needs a tls-key-file-pass`],
    [{ tlsKeyFile: locked, tlsKeyFilePass: "sesam" }, `tls-key-file-pass does not open tls-key-file ${locked}`],
    [
      { tlsAuthClients: "yes" },
      "tls-auth-clients yes needs a tls-ca-cert-file or tls-ca-cert-dir, by which clients are known; " +
        "tls-auth-clients no lets all in",
    ],
    [{ tlsCaCertFile: garbage }, `tls-ca-cert-file ${garbage} holds no certificate that can be read`],
    [{ tlsProtocols: "TLSv1.2 SSLv3" }, "tls-protocols takes some of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"],
    [{ tlsCiphers: "nonsense" }, "no cipher match"],
    [{ tlsCiphersuites: "nonsense" }, "tls-ciphersuites names no cipher suite of TLS 1.3 that is known"],
    [{ tlsDhParamsFile: "/nowhere" }, "tls-dh-params-file /nowhere: No such file or directory"],
  ])("%o end it with: %s", ([values, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(served(() => Effect.void, values)))
      expect(error).toBeInstanceOf(SocketError)
      expect(error.message).toBe(`Cannot serve TLS: ${reason}`)
    }),
  )

  it.live("a locked key is opened by its password", () =>
    servedLive(async ({ port }) => expect(await isServed(port)).toBe(true), {
      tlsKeyFile: locked,
      tlsKeyFilePass: "sesame",
    }),
  )

  it.effect("that serve no TLS are not looked at", () =>
    Effect.scoped(Layer.build(Server.layer({ ...testSettings, port: 0, tlsProtocols: "x", tlsCertFile: "/nowhere" }))),
  )
})

describe("certificates of clients", () => {
  const none = {}
  const known = Tls.shown("client")
  const stranger = Tls.shown("stranger")
  const values = { tlsCaCertFile: Tls.certificateFile("client") }
  const whoIsServed = async (port: number) => [
    await isServed(port, none),
    await isServed(port, known),
    await isServed(port, stranger),
  ]

  it.live("are demanded by tls-auth-clients yes", () =>
    servedLive(
      async ({ port, log }) => {
        expect(await whoIsServed(port)).toEqual([false, true, false])
        expect(log[0]).toMatch(
          /^A TLS handshake failed: peer did not return a certificate \(addr=127\.0\.0\.1:\d+ laddr=/,
        )
        expect(log).toHaveLength(2)
      },
      { ...values, tlsAuthClients: "yes" },
    ),
  )

  it.live("may be missing under tls-auth-clients optional, but not be wrong", () =>
    servedLive(
      async ({ port, log }) => {
        expect(await whoIsServed(port)).toEqual([true, true, false])
        expect(log).toHaveLength(1)
        expect(log[0]).toContain("A TLS handshake failed: DEPTH_ZERO_SELF_SIGNED_CERT")
      },
      { ...values, tlsAuthClients: "optional" },
    ),
  )

  it.live("do not matter under tls-auth-clients no", () =>
    servedLive(async ({ port }) => expect(await whoIsServed(port)).toEqual([true, true, true]), values),
  )

  it.live("may be known by a directory of hashed names", () => {
    const directory = mkdtempSync(join(folder, "authorities-"))
    copyFileSync(Tls.certificateFile("client"), join(directory, "0123abcd.0"))
    copyFileSync(Tls.certificateFile("stranger"), join(directory, "stranger.crt"))
    return servedLive(async ({ port }) => expect(await whoIsServed(port)).toEqual([false, true, false]), {
      tlsCaCertDir: directory,
      tlsAuthClients: "yes",
    })
  })

  it.live("of nobody are good where there is no such directory", () =>
    servedLive(async ({ port }) => expect(await whoIsServed(port)).toEqual([false, false, false]), {
      tlsCaCertDir: join(folder, "nowhere"),
      tlsAuthClients: "yes",
    }),
  )

  it.live("are asked for as soon as CONFIG SET says so, of those who connect from then on", () =>
    servedLive(async ({ port, connect }) => {
      const client = await connect()
      expect(await client.run("CONFIG", "SET", "tls-auth-clients", "yes")).toEqual(Reply.ok)
      expect(await whoIsServed(port)).toEqual([false, true, false])
      expect(await client.run("PING")).toEqual(Reply.pong)
      client.destroy()
    }, values),
  )
})

describe("protocols and ciphers", () => {
  const agreed = async (port: number, options: tls.ConnectionOptions = {}) => {
    const socket = await Tls.shake(port, options).catch(() => undefined)
    const found = socket && [socket.getProtocol(), socket.getCipher().name]
    socket?.destroy()
    return found
  }

  it.live("are those of TLS 1.2 and 1.3 by default", () =>
    servedLive(async ({ port }) => {
      expect((await agreed(port))?.[0]).toBe("TLSv1.3")
      expect((await agreed(port, { maxVersion: "TLSv1.2" }))?.[0]).toBe("TLSv1.2")
      const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const
      expect(await agreed(port, old)).toBeUndefined()
      expect(await agreed(port, { maxVersion: "TLSv1.2", ciphers: "DHE-RSA-AES128-GCM-SHA256" })).toEqual([
        "TLSv1.2",
        "DHE-RSA-AES128-GCM-SHA256",
      ])
    }),
  )

  it.live("are those that settings name, with gaps", () =>
    servedLive(
      async ({ port, connect }) => {
        const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const
        expect(await agreed(port, { ...old, minVersion: "TLSv1.1" })).toBeUndefined()
        expect((await agreed(port, { ...old, maxVersion: "TLSv1" }))?.[0]).toBe("TLSv1")
        expect(await agreed(port, { minVersion: "TLSv1.3" })).toBeUndefined()
        const client = await connect({ maxVersion: "TLSv1.2" })
        expect(await client.run("CONFIG", "SET", "tls-protocols", "TLSv1.3")).toEqual(Reply.ok)
        client.destroy()
        expect(await agreed(port, { maxVersion: "TLSv1.2" })).toBeUndefined()
        expect((await agreed(port))?.[0]).toBe("TLSv1.3")
      },
      { tlsProtocols: "tlsv1.2 TLSv1", tlsCiphers: "DEFAULT@SECLEVEL=0" },
    ),
  )

  it.live("are chosen by the client, or by the server where it prefers its own", () =>
    servedLive(
      async ({ port, connect }) => {
        const [weak, strong] = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
        const offer = { maxVersion: "TLSv1.2", ciphers: `${weak}:${strong}` } as const
        expect(await agreed(port, offer)).toEqual(["TLSv1.2", weak])
        const client = await connect()
        await client.run("CONFIG", "SET", "tls-prefer-server-ciphers", "yes")
        expect(await agreed(port, offer)).toEqual(["TLSv1.2", strong])
        await client.run(
          "CONFIG",
          "SET",
          "tls-ciphers",
          weak,
          "tls-ciphersuites",
          "TLS_CHACHA20_POLY1305_SHA256:unknown",
        )
        expect(await agreed(port, offer)).toEqual(["TLSv1.2", weak])
        expect(await agreed(port, { ...offer, ciphers: strong })).toBeUndefined()
        expect(await agreed(port)).toEqual(["TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"])
        client.destroy()
      },
      { tlsCiphers: "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256" },
    ),
  )
})

describe("sessions", () => {
  /** Whether a second connection takes up the session of a first one. `secureOptions` 2^14 are no tickets. */
  const isReused = async (port: number, options: tls.ConnectionOptions) => {
    const first = await Tls.shake(port, options)
    const sessions: Array<Buffer> = []
    first.on("session", (session: Buffer) => void sessions.push(session))
    // Tickets of TLS 1.3 come behind the handshake, before an answer.
    const client = Tls.clientOver(first)
    await client.run("PING")
    const session = sessions.at(-1) ?? first.getSession()
    client.end()
    await client.closed
    const second = await Tls.shake(port, { ...options, session })
    const reused = second.isSessionReused()
    second.destroy()
    return reused
  }
  const withoutTickets = { maxVersion: "TLSv1.2", secureOptions: 0x4000 } as const

  it.live("are taken up by their ticket, or by what the server keeps", () =>
    servedLive(async ({ port, connect }) => {
      expect(await isReused(port, {})).toBe(true)
      expect(await isReused(port, withoutTickets)).toBe(true)
      const client = await connect()
      await client.run("CONFIG", "SET", "tls-session-caching", "no")
      expect(await isReused(port, {})).toBe(true)
      expect(await isReused(port, withoutTickets)).toBe(false)
      await client.run("CONFIG", "SET", "tls-session-cache-timeout", "77")
      const socket = await Tls.shake(port, { maxVersion: "TLSv1.2" })
      // The field of an encoded session that says how long it lives.
      expect(socket.getSession()!.includes(Buffer.of(0xa9, 3, 2, 1, 77))).toBe(true)
      socket.destroy()
      client.destroy()
    }),
  )

  it.live("are no more than tls-session-cache-size, without the oldest", () =>
    servedLive(
      async ({ port }) => {
        const sessions: Array<Buffer> = []
        for (let i = 0; i < 2; i++) {
          const socket = await Tls.shake(port, withoutTickets)
          sessions.push(socket.getSession()!)
          socket.end()
          await once(socket, "close")
        }
        const reused: Array<boolean> = []
        // The newer one first: a full handshake would be kept in its place.
        for (const session of sessions.reverse()) {
          const socket = await Tls.shake(port, { ...withoutTickets, session })
          reused.push(socket.isSessionReused())
          socket.destroy()
        }
        expect(reused).toEqual([true, false])
      },
      { tlsSessionCacheSize: 1 },
    ),
  )
})

describe("CONFIG SET", () => {
  const shownBy = async (port: number) => {
    const socket = await Tls.shake(port, { rejectUnauthorized: false })
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return CN
  }

  it.live("serves another certificate to those who come, also when its file has changed under the same name", () =>
    servedLive(async ({ port, connect }) => {
      const client = await connect()
      const [cert, key] = [file("own.crt", ""), file("own.key", "")]
      const copy = (name: Tls.Name) => {
        copyFileSync(Tls.certificateFile(name), cert)
        copyFileSync(Tls.keyFile(name), key)
      }
      copy("client")
      const set = () => client.run("CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key)
      expect(await shownBy(port)).toBe("localhost")
      expect(await set()).toEqual(Reply.ok)
      expect(await shownBy(port)).toBe("client")
      copy("stranger")
      expect(await shownBy(port)).toBe("client")
      expect(await set()).toEqual(Reply.ok)
      expect(await shownBy(port)).toBe("stranger")
      client.destroy()
    }),
  )

  it.live("refuses what cannot be served with, and serves as before", () =>
    servedLive(async ({ port, connect, log }) => {
      const client = await connect()
      expect(await client.run("CONFIG", "SET", "timeout", "9", "tls-cert-file", "/nowhere")).toMatchObject(
        refusal("tls-cert-file", notUpdated),
      )
      expect(log).toEqual(["Cannot serve TLS: tls-cert-file /nowhere: No such file or directory"])
      expect(await client.run("CONFIG", "GET", "timeout")).toMatchObject({ values: [{}, { value: "0" }] })
      expect(await shownBy(port)).toBe("localhost")
      client.destroy()
    }),
  )

  it.live("opens, moves and closes the port", () =>
    Effect.gen(function* () {
      const [first, second] = yield* Effect.promise(async () => [
        await RealServer.freePort(),
        await RealServer.freePort(),
      ])
      yield* Effect.flatMap(Listener, (listener) =>
        Effect.promise(async () => {
          const plain = await RealServer.connectTcp(listener.port)
          const set = (...words: ReadonlyArray<string>) => plain.run("CONFIG", "SET", ...words)
          expect(await set("tls-port", `${first}`)).toMatchObject(refusal("tls-port", notUpdated))
          const files = ["tls-cert-file", Tls.certificateFile("server"), "tls-key-file", Tls.keyFile("server")]
          expect(await set("tls-port", `${first}`, "tls-auth-clients", "no", ...files)).toEqual(Reply.ok)
          const client = await Tls.connectTls(first)
          expect(await set("tls-port", `${listener.port}`)).toMatchObject(
            refusal("tls-port", "Unable to listen on this port. Check server logs."),
          )
          expect(await isServed(first)).toBe(true)
          expect(await set("tls-port", `${second}`)).toEqual(Reply.ok)
          expect([await isServed(first), await isServed(second)]).toEqual([false, true])
          expect(await set("bind", "127.0.0.2")).toEqual(Reply.ok)
          expect(listener.addresses).toEqual([`127.0.0.2:${listener.port}`, `127.0.0.2:${second} (TLS)`])
          expect(await set("bind", "1.2.3.4")).toMatchObject(refusal("bind", "Failed to bind to specified addresses."))
          expect(await set("bind", "127.0.0.1")).toEqual(Reply.ok)
          expect(await isServed(second)).toBe(true)
          expect(await set("tls-port", "0")).toEqual(Reply.ok)
          expect(await isServed(second)).toBe(false)
          expect(await client.run("PING")).toEqual(Reply.pong)
          client.destroy()
          plain.destroy()
        }),
      ).pipe(
        Effect.provide(Server.layer({ ...testSettings, port: 0, bind: ["127.0.0.1"] })),
        Effect.provide(Logger.remove(Logger.defaultLogger)),
      )
    }),
  )

  it.skipIf(!RealServer.isInstalled)("answers in the words of redis-server", () =>
    servedLive(async ({ connect }) => {
      const args = ["--tls-port", `${await RealServer.freePort()}`, "--tls-auth-clients", "no"]
      const files = ["--tls-cert-file", Tls.certificateFile("server"), "--tls-key-file", Tls.keyFile("server")]
      const real = await RealServer.start([...args, ...files])
      const [theirs, ours] = [await real.connect(), await connect()]
      const requests = [
        ["tls-cert-file", "/nowhere"],
        ["tls-cert-file", ""],
        ["tls-key-file", Tls.certificateFile("server")],
        ["tls-auth-clients", "maybe"],
        ["tls-protocols", "TLSv1.2 nonsense"],
        ["tls-protocols", "tlsv1.3 TLSv1.2"],
        ["tls-ciphers", "nonsense"],
        ["tls-ciphersuites", "nonsense"],
        ["tls-ciphersuites", "TLS_AES_128_GCM_SHA256:nonsense"],
        ["tls-port", "65536"],
        ["tls-session-caching", "maybe"],
        ["tls-session-cache-size", "-1"],
        ["tls-session-cache-timeout", "2147483648"],
        ["tls-dh-params-file", "/nowhere"],
        ["tls-ca-cert-file", "/nowhere"],
        ["tls-ca-cert-dir", "/nowhere"],
        ["tls-prefer-server-ciphers", "yes"],
        ["tls-key-file-pass", "sesame"],
        ["tls-replication", "no"],
        ["tls-cluster", "no"],
        ["tls-client-cert-file", ""],
      ]
      for (const request of requests) {
        expect([request, await ours.run("CONFIG", "SET", ...request)]).toEqual([
          request,
          await theirs.run("CONFIG", "SET", ...request),
        ])
      }
      const settings = async (client: TestClient) => {
        const reply = await client.run("CONFIG", "GET", "tls-*")
        const words = reply._tag === "Array" ? reply.values.map((word) => ("value" in word ? `${word.value}` : "")) : []
        return Object.fromEntries(words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1]]] : [])))
      }
      const port = expect.any(String)
      expect({ ...(await settings(ours)), "tls-port": port }).toEqual({ ...(await settings(theirs)), "tls-port": port })
      theirs.destroy()
      ours.destroy()
      await real.stop()
    }).pipe(Effect.runPromise),
  )
})
