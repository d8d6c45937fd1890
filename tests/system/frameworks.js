// frameworks: libraries of npm that stand on Redis, each doing its real job.
//
//   node frameworks.js PORT [PART...]   runs these, or all; prints {part: null or what went wrong}
"use strict";
const assert = require("node:assert/strict");
const http = require("node:http");
const { once } = require("node:events");
const { setTimeout: sleep } = require("node:timers/promises");
const runAll = require("./node_runner.js");

const [port, ...wanted] = process.argv.slice(2);
const address = { host: "127.0.0.1", port: Number(port) };
const ROUNDING_MS = 3;
const closers = []; // what ends whatever the part at hand opened, last first

function closing(thing, how) {
  closers.push(how);
  return thing;
}

function ioredis(options = {}, library = "ioredis") {
  const Redis = require(library);
  const client = new Redis({ ...address, ...options });
  client.on("error", () => {}); // a command that fails says so itself
  return closing(client, () => {
    const ended = client.status === "end" || once(client, "end"); // when whatever it waited for was refused
    client.disconnect();
    return ended;
  });
}

async function nodeRedis(options = {}) {
  const { createClient } = require("redis");
  const client = createClient({ socket: address, ...options });
  client.on("error", () => {});
  await client.connect();
  return closing(client, () => client.destroy());
}

async function until(condition, what) {
  const end = performance.now() + 20000;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `${what}: not within 20 s`);
    await sleep(5);
  }
}

async function empty() {
  await ioredis().flushall();
}

// --- clients ---

const TAKE = "local left = tonumber(redis.call('GET', KEYS[1]) or ARGV[1]) " +
  "if left < 1 then return redis.error_reply('EMPTY nothing is left') end " +
  "redis.call('SET', KEYS[1], left - 1, 'PX', 60000) return {left - 1, KEYS[1]}";

async function ioredisAsOf(library) {
  await empty();
  const client = ioredis({}, library);
  // Scripts: sent whole once, and by their digest after that; again whole when the server forgot them.
  client.defineCommand("take", { numberOfKeys: 1, lua: TAKE });
  assert.deepEqual(await client.take("stock", 3), [2, "stock"]);
  assert.deepEqual(await client.take("stock", 3), [1, "stock"]);
  await client.script("FLUSH");
  assert.deepEqual(await client.take("stock", 3), [0, "stock"]);
  await assert.rejects(client.take("stock", 3), /EMPTY nothing is left/);
  const piped = await client.pipeline().set("stock", 1).take("stock", 3).exec();
  assert.deepEqual(piped, [[null, "OK"], [null, [0, "stock"]]]);

  // Transactions: all or nothing, and nothing when what was watched has changed.
  const moved = await client.multi().set("a", 1).incr("a").lpush("a", "x").incr("a").exec();
  assert.deepEqual([moved[0], moved[1], moved[3]], [[null, "OK"], [null, 2], [null, 3]]);
  assert.match(moved[2][0].message, /^WRONGTYPE/);
  await assert.rejects(client.multi().set("a", 1).set("a").exec(), /EXECABORT/);
  assert.equal(await client.get("a"), "3");
  const other = ioredis({}, library);
  await client.watch("a");
  await other.set("a", 10);
  assert.equal(await client.multi().set("a", 20).exec(), null);
  await client.watch("a");
  assert.deepEqual(await client.multi().incr("a").exec(), [[null, 11]]);

  // Channels, and a subscriber that has them again after its connection ended.
  const subscriber = ioredis({}, library);
  const heard = [];
  subscriber.on("message", (channel, text) => heard.push(`${channel} ${text}`));
  subscriber.on("pmessage", (pattern, channel, text) => heard.push(`${pattern} ${channel} ${text}`));
  assert.equal(await subscriber.subscribe("news"), 1);
  assert.equal(await subscriber.psubscribe("w?ather*"), 2);
  await client.publish("weather:1", "sun");
  await client.publish("news", "one");
  await until(() => heard.length === 2, "both messages");
  const ready = once(subscriber, "ready");
  subscriber.disconnect(true);
  await ready;
  await until(async () => await client.publish("news", "two") === 1, "the subscription is back");
  await until(() => heard.includes("news two"), "its message");
  assert.deepEqual(heard.slice(0, 2), ["w?ather* weather:1 sun", "news one"]);
}

async function ioredisWaits(library) {
  await empty();
  const client = ioredis({}, library);
  const reader = ioredis({}, library);
  const first = reader.blpop("queue", "other", 10);
  await sleep(50);
  assert.equal(await client.rpush("queue", "one", "two"), 2);
  assert.deepEqual(await first, ["queue", "one"]);
  assert.deepEqual(await reader.brpop("queue", 10), ["queue", "two"]);
  const began = performance.now();
  assert.equal(await reader.blpop("queue", 0.2), null);
  assert.ok(performance.now() - began >= 200 - ROUNDING_MS);
  const entry = reader.xread("BLOCK", 10000, "STREAMS", "stream", "$");
  await sleep(50);
  const id = await client.xadd("stream", "*", "a", "1");
  assert.deepEqual(await entry, [["stream", [[id, ["a", "1"]]]]]);
}

async function nodeRedisItself() {
  await empty();
  const { createClientPool, defineScript } = require("redis");
  const scripts = { take: defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: TAKE,
    parseCommand(parser, key, count) {
      parser.pushKey(key);
      parser.push(String(count));
    },
    transformReply: undefined,
  }) };
  const client = await nodeRedis({ scripts });
  assert.deepEqual(await client.take("stock", 2), [1, "stock"]);
  await client.scriptFlush();
  assert.deepEqual(await client.take("stock", 2), [0, "stock"]);
  await assert.rejects(client.take("stock", 2), /EMPTY nothing is left/);

  const moved = await client.multi().set("a", 1).incr("a").hSet("h", { x: "1", y: "2" }).hGetAll("h").exec();
  assert.deepEqual([...moved.slice(0, 3), { ...moved[3] }], ["OK", 2, 2, { x: "1", y: "2" }]);
  const pool = createClientPool({ socket: address }, { minimum: 1, maximum: 4 });
  await pool.connect();
  closing(pool, () => pool.destroy());
  const { WatchError } = require("redis");
  await pool.execute(async (own) => {
    await own.watch("a");
    await client.set("a", 10);
    await assert.rejects(own.multi().set("a", 20).exec(), WatchError);
    await own.watch("a");
    assert.deepEqual(await own.multi().incr("a").exec(), [11]);
  });
  // Ten increments by reading and writing, again when somebody else was faster: none is lost.
  await client.set("sum", "0");
  await Promise.all(Array.from({ length: 10 }, () => pool.execute(async (own) => {
    for (;;) {
      await own.watch("sum");
      const sum = Number(await own.get("sum"));
      try {
        return await own.multi().set("sum", String(sum + 1)).exec();
      } catch (error) {
        if (!(error instanceof WatchError)) throw error;
      }
    }
  })));
  assert.equal(await client.get("sum"), "10");

  const subscriber = await nodeRedis();
  const heard = [];
  await subscriber.pSubscribe("w*", (text, channel) => heard.push(`${channel} ${text}`));
  await client.publish("weather", "sun");
  await until(() => heard.length === 1, "the message");
  assert.deepEqual(heard, ["weather sun"]);
}

async function nodeRedisWaits() {
  await empty();
  const [client, reader] = [await nodeRedis(), await nodeRedis()];
  const popped = reader.blPop("queue", 10);
  await sleep(50);
  await client.rPush("queue", "one");
  assert.deepEqual({ ...(await popped) }, { key: "queue", element: "one" });
  assert.equal(await reader.blMove("queue", "other", "LEFT", "RIGHT", 0.1), null);
  const entries = reader.xRead({ key: "stream", id: "$" }, { BLOCK: 10000 });
  await sleep(50);
  const id = await client.xAdd("stream", "*", { a: "1" });
  assert.equal((await entries)[0].messages[0].id, id);
}

// --- sessions ---

async function connectRedis() {
  await empty();
  const session = require("express-session");
  const { RedisStore } = require("connect-redis");
  const client = await nodeRedis();
  const serve = async () => { // one of several processes of a web application
    const store = new RedisStore({ client, prefix: "web:", ttl: 100 });
    const middleware = session({ store, secret: "secret", resave: false, saveUninitialized: false, name: "sid" });
    const server = http.createServer((request, response) => middleware(request, response, async (error) => {
      if (error) {
        response.statusCode = 500;
        response.end(String(error));
      } else if (request.url === "/out") {
        request.session.destroy(() => response.end("out"));
      } else {
        request.session.views = (request.session.views ?? 0) + 1;
        response.end(String(request.session.views));
      }
    }));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closing(server, () => server.closeAllConnections?.() ?? server.close());
    return { store, url: `http://127.0.0.1:${server.address().port}` };
  };
  const [first, second] = [await serve(), await serve()];
  const get = async (where, path, cookie) => {
    const reply = await fetch(where.url + path, { headers: cookie ? { cookie } : {} });
    return { text: await reply.text(), cookie: reply.headers.get("set-cookie")?.split(";")[0] ?? cookie };
  };
  const { text, cookie } = await get(first, "/");
  assert.equal(text, "1");
  assert.equal((await get(second, "/", cookie)).text, "2"); // the other process knows the session
  assert.equal((await get(first, "/", cookie)).text, "3");
  const [key] = await client.keys("web:*");
  const left = await client.ttl(key);
  assert.ok(left > 90 && left <= 100, `TTL ${left}`);
  const others = await Promise.all(Array.from({ length: 30 }, () => get(second, "/")));
  assert.equal(await first.store.length(), 31);
  assert.deepEqual((await first.store.all()).map(({ views }) => views).sort(), [...Array(30).fill(1), 3]);
  assert.equal((await get(first, "/out", cookie)).text, "out");
  assert.equal((await get(second, "/", cookie)).text, "1"); // a new one
  assert.equal((await get(second, "/", others[0].cookie)).text, "2");
  await first.store.clear();
  assert.equal(await first.store.length(), 0);
}

// --- limits, locks ---

async function rateLimiterOver(storeClient, useRedisPackage) {
  const { RateLimiterRedis } = require("rate-limiter-flexible");
  const keyPrefix = useRedisPackage ? "redis" : "ioredis";
  const limiter = new RateLimiterRedis({ storeClient, useRedisPackage, keyPrefix, points: 5, duration: 1 });
  const sent = performance.now();
  const answers = await Promise.allSettled(Array.from({ length: 30 }, () => limiter.consume("user")));
  const passed = answers.filter(({ status }) => status === "fulfilled");
  if (performance.now() - sent < 1000) assert.equal(passed.length, 5);
  const refused = answers.find(({ status }) => status === "rejected").reason;
  assert.ok(refused.msBeforeNext > 0 && refused.msBeforeNext <= 1000, JSON.stringify(refused));
  await sleep(1000 + 2 * ROUNDING_MS);
  assert.equal((await limiter.consume("other", 2)).remainingPoints, 3);
  assert.equal((await limiter.consume("user")).remainingPoints, 4); // the second is over
  await limiter.delete("user");
  assert.equal(await limiter.get("user"), null);
  const lasting = new RateLimiterRedis({ storeClient, useRedisPackage, keyPrefix: `${keyPrefix}:lasting`, points: 5,
                                         duration: 60 });
  assert.equal((await lasting.consume("user", 2)).remainingPoints, 3);
  assert.equal((await lasting.penalty("user", 1)).consumedPoints, 3);
  assert.equal((await lasting.reward("user", 2)).consumedPoints, 1);
  assert.equal((await lasting.get("user")).consumedPoints, 1);
  await lasting.block("user", 600);
  await assert.rejects(lasting.consume("user"), ({ msBeforeNext }) => msBeforeNext > 500000);
  const blocking = new RateLimiterRedis({ storeClient, useRedisPackage, keyPrefix: `${keyPrefix}:blocking`, points: 1,
                                          duration: 1, blockDuration: 60 });
  await blocking.consume("user");
  await assert.rejects(blocking.consume("user"), ({ msBeforeNext }) => msBeforeNext > 50000);
}

async function rateLimiter() {
  await empty();
  const { RateLimiterQueue, RateLimiterRedis } = require("rate-limiter-flexible");
  const queued = async () => {
    const queue = new RateLimiterQueue(new RateLimiterRedis({ storeClient: ioredis(), keyPrefix: "queue", points: 3,
                                                              duration: 1 }));
    const began = performance.now();
    await Promise.all(Array.from({ length: 5 }, () => queue.removeTokens(1)));
    assert.ok(performance.now() - began >= 1000 - ROUNDING_MS, "five of three per second");
  };
  await Promise.all([rateLimiterOver(ioredis(), false), rateLimiterOver(await nodeRedis(), true), queued()]);
}

async function redlockAsOf(library) {
  await empty();
  const module = require(library);
  const Redlock = module.default ?? module;
  const current = "using" in Redlock.prototype;
  const locks = () => new Redlock([ioredis({}, "ioredis")], { retryCount: 1000, retryDelay: 5, retryJitter: 5 });
  const acquire = (own, life_ms) => current ? own.acquire(["record"], life_ms) : own.lock("record", life_ms);
  const release = (lock) => current ? lock.release() : lock.unlock();
  const client = ioredis();
  await client.set("sum", "0");
  await Promise.all(Array.from({ length: 8 }, async () => {
    const own = locks();
    for (let turn = 0; turn < 4; turn++) {
      const lock = await acquire(own, 20000);
      const sum = Number(await client.get("sum"));
      await sleep(1);
      await client.set("sum", String(sum + 1));
      await release(lock);
    }
  }));
  assert.equal(await client.get("sum"), "32");
  assert.equal(await client.exists("record"), 0);

  const impatient = new Redlock([ioredis()], { retryCount: 0 });
  impatient.on(current ? "error" : "clientError", () => {});
  const lock = await acquire(impatient, 500);
  await assert.rejects(acquire(impatient, 500));
  const longer = await lock.extend(60000);
  assert.ok(await client.pttl("record") > 50000);
  await release(longer);
  await assert.rejects(release(longer)); // whoever holds it no more cannot let it go
  if (!current) return;
  await acquire(impatient, 300);
  const seen = await locks().using(["record"], 1000, { automaticExtensionThreshold: 700 }, async (signal) => {
    await sleep(600); // it is extended on the way
    assert.equal(signal.aborted, false);
    return client.pttl("record");
  });
  assert.ok(seen > 400, `PTTL ${seen}`);
}

// --- messages ---

async function socketIo() {
  await empty();
  const { Server } = require("socket.io");
  const { io } = require("socket.io-client");
  const { createAdapter } = require("@socket.io/redis-adapter");
  const serve = async (pub, sub) => { // one of several processes that share the rooms
    const web = http.createServer();
    const server = new Server(web, { adapter: createAdapter(pub, sub, { requestsTimeout: 10000 }) });
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    closing(server, () => server.close());
    server.on("connection", (socket) => {
      socket.on("join", async (room, done) => {
        await socket.join(room);
        done();
      });
      socket.on("say", (room, text) => server.to(room).emit("said", text));
    });
    return { server, url: `http://127.0.0.1:${web.address().port}` };
  };
  const node = await nodeRedis();
  const servers = [await serve(ioredis(), ioredis()), await serve(node, await nodeRedis())];
  const sockets = [];
  const heard = [];
  for (let number = 0; number < 6; number++) {
    const socket = io(servers[number % 2].url, { transports: ["websocket"], reconnection: false });
    closing(socket, () => socket.disconnect());
    heard.push([]);
    socket.on("said", (text) => heard[number].push(text));
    await once(socket, "connect");
    await new Promise((resolve) => socket.emit("join", number < 4 ? "room" : "elsewhere", resolve));
    sockets.push(socket);
  }
  sockets[0].emit("say", "room", "from the first");
  sockets[1].emit("say", "room", "from the second");
  await until(() => heard.slice(0, 4).every((texts) => texts.length === 2), "the room hears both");
  assert.deepEqual(heard.slice(4), [[], []]);
  const [{ server }, { server: other }] = servers;
  assert.equal((await server.in("room").fetchSockets()).length, 4);
  assert.equal((await other.fetchSockets()).length, 6);
  other.on("question", (text, answer) => answer(`${text}!`));
  assert.deepEqual(await server.serverSideEmitWithAck("question", "yes"), ["yes!"]);
  server.in("elsewhere").socketsJoin("room");
  await until(async () => (await other.in("room").fetchSockets()).length === 6, "they have joined");
  server.emit("said", "to all");
  await until(() => heard.every((texts) => texts.includes("to all")), "all hear");
  server.in("room").disconnectSockets(true);
  await until(() => sockets.every((socket) => !socket.connected), "all are gone");
}

// --- background jobs ---

async function bullMq() {
  await empty();
  const { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } = require("bullmq");
  const connection = { ...address };
  const opened = (thing) => closing(thing, () => thing.close());
  const queue = opened(new Queue("mail", { connection }));
  const events = opened(new QueueEvents("mail", { connection }));
  await events.waitUntilReady();
  const seen = [];
  const finished = [];
  const tries = new Map();
  events.on("completed", ({ jobId }) => finished.push(jobId));
  const work = async (job) => {
    seen.push(job.name);
    if (job.name === "flaky") {
      tries.set(job.id, (tries.get(job.id) ?? 0) + 1);
      if (tries.get(job.id) < 3) throw new Error("not yet");
    }
    if (job.name === "broken") throw new UnrecoverableError("never");
    await job.updateProgress(50);
    return { doubled: job.data.number * 2 };
  };
  const start = (concurrency) => {
    const worker = new Worker("mail", work, { connection, concurrency });
    worker.on("error", () => {});
    return opened(worker);
  };

  // What is urgent is done before what is not; a worker that waits gets what comes.
  await queue.addBulk([["low", 10], ["high", 1], ["middle", 5]].map(([name, priority]) => (
    { name, data: { number: 1 }, opts: { priority } })));
  assert.deepEqual(await queue.getJobCounts("prioritized"), { prioritized: 3 });
  const worker = start(1);
  await until(() => finished.length === 3, "three by priority");
  assert.deepEqual(seen.splice(0), ["high", "middle", "low"]);
  const one = await queue.add("one", { number: 21 });
  assert.deepEqual(await one.waitUntilFinished(events, 20000), { doubled: 42 });
  assert.equal((await queue.getJob(one.id)).progress, 50);
  assert.equal(await one.getState(), "completed");

  // Later; again after a failure; never.
  const began = performance.now();
  const later = await queue.add("later", { number: 1 }, { delay: 300 });
  await later.waitUntilFinished(events, 20000);
  assert.ok(performance.now() - began >= 290, "not before its time");
  const flaky = await queue.add("flaky", { number: 2 }, { attempts: 5, backoff: { type: "fixed", delay: 50 } });
  assert.deepEqual(await flaky.waitUntilFinished(events, 20000), { doubled: 4 });
  assert.equal(tries.get(flaky.id), 3);
  const broken = await queue.add("broken", { number: 1 }, { attempts: 5 });
  await assert.rejects(broken.waitUntilFinished(events, 20000), /never/);
  assert.equal((await queue.getFailed())[0].failedReason, "never");

  // Two workers, two hundred jobs: each is done once. The same id twice is one job.
  seen.length = finished.length = 0;
  start(10);
  await queue.addBulk(Array.from({ length: 200 }, (_, index) => ({ name: `bulk-${index}`, data: { number: index } })));
  await queue.add("only", { number: 1 }, { jobId: "once" });
  await queue.add("only", { number: 1 }, { jobId: "once" });
  await until(() => finished.length >= 201, "all of them");
  assert.equal(new Set(seen).size, 201);
  assert.equal(seen.length, 201);

  // Paused, nothing is done; a parent waits for its children; a schedule comes again and again.
  await queue.pause();
  const waiting = await queue.add("waiting", { number: 4 });
  await sleep(100);
  assert.equal(await waiting.getState(), "waiting");
  await queue.resume();
  assert.deepEqual(await waiting.waitUntilFinished(events, 20000), { doubled: 8 });
  const flows = opened(new FlowProducer({ connection }));
  const node = (name, number, children) => ({ name, queueName: "mail", data: { number }, children });
  const flow = await flows.add(node("parent", 1, [node("child", 5), node("child", 6)]));
  await flow.job.waitUntilFinished(events, 20000);
  assert.deepEqual(Object.values(await flow.job.getChildrenValues()).map(({ doubled }) => doubled).sort(), [10, 12]);
  await queue.upsertJobScheduler("tick", { every: 100 }, { name: "tick", data: { number: 1 } });
  await until(() => seen.filter((name) => name === "tick").length >= 3, "three ticks");
  assert.equal(await queue.removeJobScheduler("tick"), true);
  await worker.close();
  await queue.obliterate({ force: true });
  assert.equal(await queue.count(), 0);
}

const parts = {
  "ioredis": () => ioredisAsOf("ioredis"),
  "ioredis waits": () => ioredisWaits("ioredis"),
  "ioredis-4": () => ioredisAsOf("ioredis-4"),
  "ioredis-4 waits": () => ioredisWaits("ioredis-4"),
  "redis": nodeRedisItself,
  "redis waits": nodeRedisWaits,
  "connect-redis": connectRedis,
  "rate-limiter-flexible": rateLimiter,
  "redlock": () => redlockAsOf("redlock"),
  "redlock-4": () => redlockAsOf("redlock-4"),
  "socket.io": socketIo,
  "bullmq": bullMq,
};

runAll(parts, wanted, async () => {
  for (const close of closers.splice(0).reverse()) await Promise.race([close(), sleep(2000)]);
});
