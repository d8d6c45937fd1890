// node_clients: ioredis and node-redis, as an application uses them.
//
//   node node_clients.js ioredis|redis PORT PASSWORD basics   prints "good"
//   node node_clients.js ioredis|redis PORT PASSWORD steady   "ready", then commands until standard input ends; prints
//                                                             one JSON object: acknowledged, uncertain, errors, events
//
// PASSWORD may be empty. Every event other than the expected ones of a connection is an error.
"use strict";
const assert = require("node:assert/strict");

const [library, port, password, part] = process.argv.slice(2);
const events = [];

// One set of verbs over both libraries.
const libraries = {
  ioredis: {
    async connect(database = 0) {
      const Redis = require("ioredis");
      const client = new Redis({ host: "127.0.0.1", port: Number(port), password: password || undefined, db: database });
      for (const event of ["error", "close", "reconnecting", "end"])
        client.on(event, (detail) => events.push(`${event} ${detail ?? ""}`));
      await client.ping();
      return client;
    },
    call: (client, ...words) => client.call(...words),
    async subscribe(client, channel, heard) {
      client.on("message", (name, text) => heard(name, text));
      await client.subscribe(channel);
    },
    async scan(client, pattern) {
      const keys = [];
      for await (const some of client.scanStream({ match: pattern, count: 50 })) keys.push(...some);
      return keys;
    },
    async special(client) {
      const value = Buffer.from(Array.from({ length: 1024 }, (_, index) => index & 255));
      await client.set("node:binary", value, "PX", 60000);
      assert.deepEqual(await client.getBuffer("node:binary"), value);
      const replies = await client.pipeline().set("node:p", "1").incr("node:p").get("node:p").incr("node:text").exec();
      assert.deepEqual(replies.slice(0, 3), [[null, "OK"], [null, 2], [null, "2"]]);
      assert.match(replies[3][0].message, /^ERR value is not an integer or out of range$/);
      assert.match(await client.info(), /redis_version:7\.2\.4/);
    },
    close: (client) => client.quit(),
  },
  redis: {
    async connect(database = 0) {
      const { createClient } = require("redis");
      const client = createClient({ socket: { host: "127.0.0.1", port: Number(port) },
                                    password: password || undefined, database });
      for (const event of ["error", "reconnecting"])
        client.on(event, (detail) => events.push(`${event} ${detail ?? ""}`));
      await client.connect();
      return client;
    },
    call: (client, ...words) => client.sendCommand(words),
    subscribe: (client, channel, heard) => client.subscribe(channel, (text, name) => heard(name, text)),
    async scan(client, pattern) {
      const keys = [];
      for await (const some of client.scanIterator({ MATCH: pattern, COUNT: 50 })) keys.push(...some);
      return keys;
    },
    async special(client) {
      const { RESP_TYPES } = require("redis");
      const value = Buffer.from(Array.from({ length: 1024 }, (_, index) => index & 255));
      await client.set("node:binary", value, { PX: 60000 });
      const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      assert.deepEqual(await bytes.get("node:binary"), value);
      const replies = await Promise.all([client.set("node:p", "1"), client.incr("node:p"), client.get("node:p")]);
      assert.deepEqual(replies, ["OK", 2, "2"]);
      assert.match(await client.info(), /redis_version:7\.2\.4/);
    },
    close: (client) => client.close(),
  },
};

async function basics(verbs) {
  const client = await verbs.connect();
  const call = (...words) => verbs.call(client, ...words);
  assert.equal(await call("SET", "node:text", "é \r\n \0"), "OK");
  assert.equal(await call("GET", "node:text"), "é \r\n \0");
  assert.equal(await call("GET", "node:none"), null);
  assert.equal(await call("APPEND", "node:text", "!"), Buffer.byteLength("é \r\n \0") + 1);
  assert.equal(await call("EXPIRE", "node:text", "100"), 1);
  const left = await call("PTTL", "node:text");
  assert.ok(left > 90000 && left <= 100000, `PTTL ${left}`);
  await assert.rejects(call("INCR", "node:text"), /ERR value is not an integer or out of range/);
  await assert.rejects(call("NONSENSE", "x"), /ERR unknown command 'NONSENSE'/);
  await verbs.special(client);

  const names = Array.from({ length: 300 }, (_, index) => `node:scan:${index}`);
  await Promise.all(names.map((name, index) => call("SET", name, String(index))));
  assert.deepEqual((await verbs.scan(client, "node:scan:*")).sort(), [...names].sort());

  const elsewhere = await verbs.connect(2);
  assert.equal(await verbs.call(elsewhere, "EXISTS", "node:text"), 0);
  await verbs.close(elsewhere);

  const subscriber = await verbs.connect();
  const heard = new Promise((resolve) => verbs.subscribe(subscriber, "node:news", (name, text) => resolve([name, text]))
    .then(() => call("PUBLISH", "node:news", "hello")));
  assert.deepEqual(await heard, ["node:news", "hello"]);
  await verbs.close(subscriber);
  await call("DEL", "node:text", "node:binary", "node:p", ...names);
  const unexpected = events.filter((event) => !/^(close|end) ?$/.test(event));
  assert.deepEqual(unexpected, []);
  await verbs.close(client);
  console.log("good");
}

async function steady(verbs) {
  const client = await verbs.connect();
  const counts = { acknowledged: 0, uncertain: 0, errors: [] };
  let stopped = false;
  process.stdin.on("end", () => (stopped = true)).resume();
  console.log("ready");
  const worker = async (name) => {
    for (let number = 0; !stopped; number++) {
      try {
        await verbs.call(client, "SET", `${name}:${number % 100}`, String(number));
        await verbs.call(client, "INCR", `${name}:count`);
        counts.acknowledged += 2;
      } catch (error) {
        if (/^UNCERTAIN /.test(error.message)) counts.uncertain++;
        else counts.errors.push(error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  await Promise.all(Array.from({ length: 10 }, (_, index) => worker(`node:${library}:${index}`)));
  console.log(JSON.stringify({ ...counts, events }));
  await verbs.close(client);
}

(part === "steady" ? steady : basics)(libraries[library]).then(
  () => process.exit(0),
  (error) => {
    console.log(error.stack, events);
    process.exit(1);
  });
