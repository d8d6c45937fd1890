// jobs: what applications in Node.js use a cache for, each as an application would write it, over ioredis.
//
//   node jobs.js PORT [JOB...]   runs these jobs, or all; prints one JSON object: {job: null or what went wrong}
//
// Nobody else writes to the database meanwhile. A date is checked on both sides of an answer, so that a slow machine
// makes no difference: what was answered before its time must be there, what was asked for after it must be gone.
"use strict";
const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");
const Redis = require("ioredis");
const runAll = require("./node_runner.js");

const [port, ...wanted] = process.argv.slice(2);
const ROUNDING_MS = 3;
const clients = [];

function connect(options = {}) {
  const client = new Redis({ host: "127.0.0.1", port: Number(port), ...options });
  clients.push(client);
  return client;
}

function replies(results) {
  return results.map(([error, reply]) => {
    assert.equal(error, null);
    return reply;
  });
}

// Runs `write`, which gives `key` a life of `life_ms`, then looks until the key is gone.
async function expires(redis, key, life_ms, write) {
  const sent = performance.now();
  await write();
  const answered = performance.now();
  for (;;) {
    const asked = performance.now();
    const exists = await redis.exists(key);
    if (exists === 0) {
      const early = sent + life_ms - performance.now() - ROUNDING_MS;
      assert.ok(early <= 0, `${key} was gone ${early} ms early`);
      return;
    }
    const late = asked - answered - life_ms - ROUNDING_MS;
    assert.ok(late <= 0, `${key} was there ${late} ms late`);
    await sleep(5);
  }
}

class Counted { // an origin that counts how often it is asked
  asked = 0;
  async fetch(name, takes_ms = 0) {
    this.asked++;
    await sleep(takes_ms);
    return { name, version: this.asked };
  }
}

// --- a cache in front of an origin ---

class Cache {
  constructor(redis, prefix, life_ms) {
    Object.assign(this, { redis, prefix, life_ms });
  }
  key(name) {
    return `${this.prefix}:${name}`;
  }
  async get(name) {
    const text = await this.redis.get(this.key(name));
    return text === null ? undefined : JSON.parse(text);
  }
  set(name, value, life_ms = this.life_ms) {
    return this.redis.set(this.key(name), JSON.stringify(value), "PX", life_ms);
  }
  forget(name) {
    return this.redis.del(this.key(name));
  }
  async through(name, origin) {
    const found = await this.get(name);
    if (found !== undefined) return found;
    const fetched = await origin.fetch(name);
    await this.set(name, fetched);
    return fetched;
  }
  async getMany(names) {
    const pipeline = this.redis.pipeline();
    for (const name of names) pipeline.get(this.key(name));
    const found = replies(await pipeline.exec());
    return new Map(names.map((name, index) => [name, found[index] === null ? undefined : JSON.parse(found[index])]));
  }
  async setMany(values) {
    const pipeline = this.redis.pipeline();
    for (const [name, value] of values) pipeline.set(this.key(name), JSON.stringify(value), "PX", this.life_ms);
    replies(await pipeline.exec());
  }
  async forgetMany(names) {
    const pipeline = this.redis.pipeline();
    for (const name of names) pipeline.del(this.key(name));
    return replies(await pipeline.exec()).reduce((sum, count) => sum + count, 0);
  }
}

async function cacheAside(redis) {
  const origin = new Counted();
  const cache = new Cache(redis, "aside", 60000);
  assert.deepEqual(await cache.through("é:1", origin), { name: "é:1", version: 1 });
  assert.deepEqual(await cache.through("é:1", origin), { name: "é:1", version: 1 });
  assert.equal(origin.asked, 1);
  const left = await redis.pttl("aside:é:1");
  assert.ok(left > 50000 && left <= 60000, `PTTL ${left}`);
  assert.equal(await cache.forget("é:1"), 1); // the row was updated
  assert.equal(await cache.forget("é:1"), 0);
  assert.deepEqual(await cache.through("é:1", origin), { name: "é:1", version: 2 });
  await redis.set("aside:settings", JSON.stringify({ theme: "dark" }));
  assert.equal(await redis.ttl("aside:settings"), -1);
  await expires(redis, "aside:short", 250, () => cache.set("short", "x", 250));
  assert.equal(await cache.get("short"), undefined);
  await redis.set("aside:short", "again"); // a new value has nothing of the old one's life
  assert.equal(await redis.ttl("aside:short"), -1);
}

async function jitter(redis) {
  // A hundred keys that are written at once and live between 200 and 400 ms each: they go one by one.
  const lives = Array.from({ length: 100 }, (_, index) => 200 + ((index * 37) % 100) * 2);
  const sent = performance.now();
  await Promise.all(lives.map((life, index) => redis.set(`jitter:${index}`, index, "PX", life)));
  const answered = performance.now();
  const numbers = new Set();
  for (let asked = sent; asked < answered + 400 + ROUNDING_MS;) {
    asked = performance.now();
    const values = await redis.mget(...lives.map((_, index) => `jitter:${index}`));
    const seen = performance.now();
    values.forEach((value, index) => {
      if (value === null) assert.ok(seen >= sent + lives[index] - ROUNDING_MS, `key ${index} went too early`);
      else assert.ok(asked <= answered + lives[index] + ROUNDING_MS, `key ${index} stayed too long`);
    });
    numbers.add(values.filter((value) => value !== null).length);
    await sleep(5);
  }
  assert.ok(numbers.has(100) && numbers.has(0) && numbers.size > 5, `seen: ${[...numbers]}`);
}

async function bulk(redis) {
  const cache = new Cache(redis, "bulk", 300000);
  const names = Array.from({ length: 1000 }, (_, index) => `item-${index}`);
  await cache.setMany(names.filter((_, index) => index % 3 === 0).map((name) => [name, { name }]));
  const found = await cache.getMany(names);
  const missed = names.filter((name) => found.get(name) === undefined);
  assert.equal(missed.length, 666);
  await cache.setMany(missed.map((name) => [name, { name }])); // as the origin said
  assert.deepEqual([...(await cache.getMany(names)).values()], names.map((name) => ({ name })));
  const pipeline = redis.pipeline();
  for (const name of names) pipeline.pttl(cache.key(name));
  assert.ok(replies(await pipeline.exec()).every((left) => left > 200000 && left <= 300000));
  assert.equal(await cache.forgetMany([...names, "never"]), 1000);
  // An error is that of its command alone; the others of the pipeline are executed.
  const results = await redis.pipeline().set("bulk:text", "text").incr("bulk:text").append("bulk:text", "!").exec();
  assert.match(results[1][0].message, /^ERR value is not an integer/);
  assert.deepEqual([results[0][1], results[2][1], await redis.get("bulk:text")], ["OK", 5, "text!"]);
}

async function stampede(redis) {
  // Twenty processes miss the same key at the same time: one asks the origin, the others wait for its answer.
  const origin = new Counted();
  const one = async (client, owner) => {
    for (let turn = 0; turn < 400; turn++) {
      const text = await client.get("stampede:page");
      if (text !== null) return JSON.parse(text);
      if (await client.set("stampede:page:lock", owner, "PX", 5000, "NX") === "OK") {
        const again = await client.get("stampede:page"); // filled between the look and the lock
        const page = again === null ? await origin.fetch("page", 100) : JSON.parse(again);
        await client.set("stampede:page", JSON.stringify(page), "EX", 60);
        if (await client.get("stampede:page:lock") === owner) await client.del("stampede:page:lock");
        return page;
      }
      await sleep(10);
    }
    throw new Error("nobody filled the cache");
  };
  const others = Array.from({ length: 20 }, () => connect());
  const pages = await Promise.all(others.map((client, index) => one(client, `owner-${index}`)));
  assert.equal(origin.asked, 1);
  assert.ok(pages.every((page) => page.version === 1));
  assert.equal(await redis.exists("stampede:page:lock"), 0);
}

// --- objects, sessions ---

async function objects(redis) {
  const results = replies(await redis.pipeline()
    .hset("object:123", { name: "Ann", email: "ann@example.com", logins: "42", city: "Łódź" })
    .expire("object:123", 300).exec());
  assert.deepEqual(results, [4, 1]);
  assert.equal(await redis.hincrby("object:123", "logins", 1), 43);
  assert.equal(await redis.hincrbyfloat("object:123", "balance", 10.5), "10.5");
  assert.deepEqual(await redis.hmget("object:123", "name", "none", "logins"), ["Ann", null, "43"]);
  assert.equal(await redis.hset("object:123", "name", "Anna", "seen", "1"), 1);
  assert.deepEqual(await redis.hgetall("object:123"), { name: "Anna", email: "ann@example.com", logins: "43",
                                                        city: "Łódź", balance: "10.5", seen: "1" });
  assert.equal(await redis.hsetnx("object:123", "name", "Bob"), 0);
  assert.equal(await redis.hdel("object:123", "email", "none"), 1);
  const left = await redis.ttl("object:123"); // a field that changes does not change the life of its object
  assert.ok(left > 290 && left <= 300, `TTL ${left}`);
  assert.deepEqual(await redis.hgetall("object:none"), {});
  await expires(redis, "object:123", 200, () => redis.pexpire("object:123", 200));
  assert.deepEqual(await redis.hmget("object:123", "name"), [null]);
}

class Sessions {
  constructor(redis, life_ms) {
    Object.assign(this, { redis, life_ms });
  }
  async create(user, data) {
    const id = randomUUID();
    await this.redis.set(`session:${id}`, JSON.stringify({ user, data }), "PX", this.life_ms);
    await this.redis.sadd(`session:of:${user}`, id);
    await this.redis.pexpire(`session:of:${user}`, 2 * this.life_ms);
    return id;
  }
  async get(id) { // and it lives on
    const text = await this.redis.getex(`session:${id}`, "PX", this.life_ms);
    return text === null ? null : JSON.parse(text);
  }
  async update(id, changes) {
    const session = await this.get(id);
    if (session === null) return false;
    Object.assign(session.data, changes);
    return await this.redis.set(`session:${id}`, JSON.stringify(session), "XX", "KEEPTTL") === "OK";
  }
  async end(id) {
    const session = await this.get(id);
    if (session !== null) await this.redis.srem(`session:of:${session.user}`, id);
    return this.redis.del(`session:${id}`);
  }
  async endAll(user) {
    const ids = await this.redis.smembers(`session:of:${user}`);
    const pipeline = this.redis.pipeline();
    for (const id of ids) pipeline.del(`session:${id}`);
    return replies(await pipeline.del(`session:of:${user}`).exec()).reduce((sum, count) => sum + count, 0) - 1;
  }
}

async function sessions(redis) {
  const store = new Sessions(redis, 60000);
  const [phone, laptop, office] = [await store.create("u1", { cart: [] }), await store.create("u1", {}),
                                   await store.create("u2", {})];
  assert.deepEqual(await store.get(phone), { user: "u1", data: { cart: [] } });
  assert.equal(await store.update(phone, { cart: ["book"] }), true);
  assert.deepEqual(await store.get(phone), { user: "u1", data: { cart: ["book"] } });
  assert.equal(await store.update("none", {}), false);
  assert.deepEqual((await redis.smembers("session:of:u1")).sort(), [phone, laptop].sort());
  assert.equal(await store.end(phone), 1);
  assert.equal(await store.get(phone), null);
  const tablet = await store.create("u1", {});
  assert.equal(await store.endAll("u1"), 2);
  assert.deepEqual([await store.get(laptop), await store.get(tablet), await redis.exists("session:of:u1")],
                   [null, null, 0]);
  assert.deepEqual(await store.get(office), { user: "u2", data: {} });
  // As long as it is looked at it lives; then it ends.
  const brief = new Sessions(redis, 300);
  const id = await brief.create("u3", {});
  const began = performance.now();
  while (performance.now() < began + 700) {
    const before = performance.now();
    const session = await brief.get(id);
    await sleep(20);
    if (performance.now() - before > 250) return; // this machine was too slow to show it
    assert.notEqual(session, null);
  }
  await expires(redis, `session:${id}`, 300, () => brief.get(id));
}

// --- rankings, counters ---

async function leaderboard(redis) {
  const add = async (player, score) => replies(await redis.pipeline().zadd("board", score, player)
    .zremrangebyrank("board", 0, -101).exec());
  for (let number = 0; number < 150; number++) await add(`p${number}`, number * 1.5);
  assert.equal(await redis.zcard("board"), 100); // and no more than the best hundred
  assert.deepEqual(await redis.zrevrange("board", 0, 1, "WITHSCORES"), ["p149", "223.5", "p148", "222"]);
  const place = async (player) => replies(await redis.pipeline().zrevrank("board", player)
    .zscore("board", player).exec());
  assert.deepEqual(await place("p100"), [49, "150"]);
  assert.deepEqual(await place("p10"), [null, null]);
  assert.equal(await redis.zincrby("board", 100, "p100"), "250");
  assert.deepEqual(await place("p100"), [0, "250"]);
  assert.deepEqual(await redis.zadd("board", "GT", "CH", 1, "p149", 300, "p148"), 1);
  assert.deepEqual(await redis.zrange("board", 0, 1, "REV"), ["p148", "p100"]);
  assert.equal(await redis.zcount("board", "(250", "+inf"), 1);
  assert.deepEqual(await redis.zrevrangebyscore("board", 260, 220, "LIMIT", 1, 2), ["p149", "p147"]);
  await redis.zadd("board:friends", 0, "p100", 0, "p3", 0, "p149");
  assert.equal(await redis.zinterstore("board:mine", 2, "board", "board:friends"), 2);
  assert.deepEqual(await redis.zrevrange("board:mine", 0, -1), ["p100", "p149"]);
}

async function uniqueVisitors(redis) {
  // The registers depend on the words alone: the estimate is the same every time. Its standard error is 0.81 %.
  const visit = async (page, from, to) => {
    const pipeline = redis.pipeline();
    for (let number = from; number < to; number++) pipeline.pfadd(`visitors:${page}`, `visitor-${number}`);
    return replies(await pipeline.exec());
  };
  const near = (estimate, count) =>
    assert.ok(Math.abs(estimate / count - 1) < 3 * 0.0081, `${estimate} instead of ${count}`);
  await visit("home", 0, 10000);
  await visit("shop", 5000, 20000);
  assert.ok((await visit("home", 0, 1000)).every((changed) => changed === 0));
  near(await redis.pfcount("visitors:home"), 10000);
  near(await redis.pfcount("visitors:shop"), 15000);
  near(await redis.pfcount("visitors:home", "visitors:shop"), 20000);
  assert.equal(await redis.pfmerge("visitors:all", "visitors:home", "visitors:shop"), "OK");
  assert.equal(await redis.pfcount("visitors:all"), await redis.pfcount("visitors:home", "visitors:shop"));
  assert.ok(await redis.strlen("visitors:all") <= 12304);
  assert.equal(await redis.del("visitors:all"), 1);
  assert.equal(await redis.pfcount("visitors:none"), 0);
}

async function counters(redis) {
  // Twenty connections count at the same time, and every one of the answers is another number.
  const others = Array.from({ length: 20 }, () => connect());
  const numbers = (await Promise.all(others.map((client) =>
    Promise.all(Array.from({ length: 50 }, () => client.incr("counter:hits")))))).flat();
  assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: 1000 }, (_, index) => index + 1));
  assert.equal(await redis.decrby("counter:hits", 400), 600);
  assert.equal(await redis.incrbyfloat("counter:sum", "0.1"), "0.1");
  assert.equal(await redis.incrbyfloat("counter:sum", "0.2"), "0.3");
  assert.equal(await redis.getset("counter:hits", "0"), "600"); // read and begin anew, in one
  await redis.set("counter:full", "9223372036854775807");
  await assert.rejects(redis.incr("counter:full"), /increment or decrement would overflow/);
  assert.equal(await redis.get("counter:full"), "9223372036854775807");
}

// --- limits, locks ---

async function fixedWindow(redis) {
  const allowed = async (client, user) => {
    const [count] = replies(await client.pipeline().incr(`window:${user}`).pexpire(`window:${user}`, 400, "NX").exec());
    return count <= 10;
  };
  const others = Array.from({ length: 5 }, () => connect());
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => allowed(others[index % 5], "u1")));
  if (performance.now() - began < 400) assert.equal(answers.filter(Boolean).length, 10);
  assert.equal(await allowed(redis, "u2"), true);
  await sleep(400 + 2 * ROUNDING_MS); // the window is over, however often somebody asked
  assert.equal(await allowed(redis, "u1"), true);
}

async function slidingWindow(redis) {
  const window_ms = 1000;
  let serial = 0;
  const allowed = async (now) => {
    const [, , count] = replies(await redis.pipeline().zremrangebyscore("sliding:u1", "-inf", now - window_ms)
      .zadd("sliding:u1", now, `${now}:${serial++}`).zcard("sliding:u1").pexpire("sliding:u1", window_ms).exec());
    if (count > 3) await redis.zrem("sliding:u1", `${now}:${serial - 1}`);
    return count <= 3;
  };
  const answers = [];
  for (const now of [0, 10, 20, 30, 990, 1001, 1002, 1011, 5000]) answers.push(await allowed(now));
  assert.deepEqual(answers, [true, true, true, false, false, true, false, true, true]);
  assert.equal(await redis.zcard("sliding:u1"), 1);
}

async function locks(redis) {
  const acquire = (client, owner, life_ms) => client.set("lock:record", owner, "PX", life_ms, "NX");
  const release = (client, owner) => client.call("DELIFEQ", "lock:record", owner); // without a script
  assert.equal(await acquire(redis, "a", 60000), "OK");
  assert.equal(await acquire(redis, "b", 60000), null);
  assert.equal(await release(redis, "b"), 0);
  assert.equal(await release(redis, "a"), 1);

  // A read, a pause and a write by ten processes at once: with the lock no update is lost.
  await redis.set("lock:balance", "0");
  const others = Array.from({ length: 10 }, () => connect());
  await Promise.all(others.map(async (client, index) => {
    for (let turn = 0; turn < 5; turn++) {
      while (await acquire(client, `owner-${index}`, 30000) === null) await sleep(2);
      try {
        const balance = Number(await client.get("lock:balance"));
        await sleep(1);
        await client.set("lock:balance", String(balance + 1));
      } finally {
        assert.equal(await release(client, `owner-${index}`), 1);
      }
    }
  }));
  assert.equal(await redis.get("lock:balance"), "50");
  // Who died with the lock in its hands keeps nobody out for longer than it said.
  await expires(redis, "lock:record", 250, () => acquire(redis, "dead", 250));
  assert.equal(await acquire(redis, "next", 60000), "OK");
}

// --- looking after it ---

async function namespaces(redis) {
  const cached = connect({ keyPrefix: "app-1:user_cache:" });
  const pipeline = cached.pipeline();
  for (let number = 0; number < 500; number++) pipeline.set(`user:${number}`, "x");
  replies(await pipeline.hset("profile:[1]", "a", "1").exec());
  await redis.set("app-1:lock:user", "x");
  await redis.mset("app-2:user_cache:user:1", "x", "app-1:user_cache", "x");
  const find = async (options) => {
    const keys = [];
    for await (const some of redis.scanStream({ count: 37, ...options })) keys.push(...some);
    return [...new Set(keys)].sort();
  };
  assert.equal((await find({ match: "app-1:user_cache:*" })).length, 501);
  assert.deepEqual(await find({ match: "app-1:user_cache:user:4?7" }),
                   Array.from({ length: 10 }, (_, index) => `app-1:user_cache:user:4${index}7`));
  assert.deepEqual(await find({ match: "app-1:*\\[1\\]", type: "hash" }), ["app-1:user_cache:profile:[1]"]);
  const stale = await find({ match: "app-1:user_cache:*" });
  assert.equal(await redis.unlink(...stale), 501);
  assert.deepEqual(await find({ match: "app-*" }), ["app-1:lock:user", "app-1:user_cache", "app-2:user_cache:user:1"]);
}

async function keyBrowser(redis) {
  // What a page for administrators shows of each key, and how it finds elements of big ones.
  await redis.set("browser:string", "value", "EX", 100);
  await redis.hset("browser:hash", ...Array.from({ length: 1000 }, (_, index) => [`f${index}`, index]).flat());
  await redis.rpush("browser:list", 1, 2, 3);
  await redis.sadd("browser:set", "a", "b");
  await redis.zadd("browser:zset", 1, "a", 2, "b");
  await redis.xadd("browser:stream", "1-1", "a", "1");
  const kinds = {};
  for (const kind of ["string", "hash", "list", "set", "zset", "stream"]) {
    const key = `browser:${kind}`;
    kinds[await redis.type(key)] = [await redis.ttl(key) > 0, await redis.memory("USAGE", key) > 0,
                                    await redis.object("IDLETIME", key) < 30, await redis.dump(key) !== null];
  }
  const other = [false, true, true, true];
  assert.deepEqual(kinds, { string: [true, true, true, true], hash: other, list: other, set: other, zset: other,
                            stream: other });
  assert.equal(await redis.type("browser:none"), "none");
  const pairs = [];
  for await (const some of redis.hscanStream("browser:hash", { match: "f99*", count: 50 })) pairs.push(...some);
  const fields = new Set(pairs.filter((_, index) => index % 2 === 0));
  assert.deepEqual([...fields].sort(), ["f99", ...Array.from({ length: 10 }, (_, index) => `f99${index}`)]);
  assert.equal(await redis.renamenx("browser:string", "browser:list"), 0);
  assert.equal(await redis.rename("browser:string", "browser:renamed"), "OK");
  assert.ok(await redis.ttl("browser:renamed") > 90);
  const copy = await redis.dumpBuffer("browser:hash");
  assert.equal(await redis.restore("browser:copy", 0, copy), "OK");
  assert.deepEqual(await redis.hgetall("browser:copy"), await redis.hgetall("browser:hash"));
}

async function monitor(redis) {
  // A hit rate from INFO. Nobody else is here, so the numbers are exact.
  const figures = async (section) => Object.fromEntries((await redis.info(section)).split("\r\n")
    .filter((line) => line.includes(":")).map((line) => line.split(":", 2)));
  const before = await figures("stats");
  await redis.set("monitor:key", "x");
  for (let turn = 0; turn < 9; turn++) await redis.get("monitor:key");
  await redis.get("monitor:none");
  const after = await figures("stats");
  assert.equal(after.keyspace_hits - before.keyspace_hits, 9);
  assert.equal(after.keyspace_misses - before.keyspace_misses, 1);
  const memory = await figures("memory");
  assert.ok(Number(memory.used_memory) > 0 && Number(memory.maxmemory) >= 0, JSON.stringify(memory));
  assert.match(memory.maxmemory_policy, /^(noeviction|(allkeys|volatile)-(lru|lfu|random|ttl))$/);
  assert.ok(Number(after.evicted_keys) >= 0);
}

async function connection() {
  // A client that connects at its first command, asks INFO whether the data is loaded, and names itself.
  const events = [];
  const client = connect({ lazyConnect: true, enableReadyCheck: true, maxRetriesPerRequest: 3, db: 1,
                           connectionName: "jobs", retryStrategy: (times) => Math.min(times * 50, 2000),
                           reconnectOnError: (error) => error.message.includes("READONLY") });
  for (const event of ["connect", "ready", "error", "close"]) client.on(event, () => events.push(event));
  assert.equal(client.status, "wait");
  assert.equal(await client.set("connection:key", "1", "EX", 10), "OK");
  assert.equal(await client.client("GETNAME"), "jobs");
  assert.deepEqual(events, ["connect", "ready"]);
  // Somebody else ends the connection: the next command opens another one, in the same database.
  client.disconnect(true);
  assert.equal(await client.get("connection:key"), "1");
  assert.equal(await connect({ db: 0 }).exists("connection:key"), 0);
  assert.deepEqual(events, ["connect", "ready", "close", "connect", "ready"]);
  // 200 commands without waiting for one another are sent together where that is asked for.
  const together = connect({ enableAutoPipelining: true, db: 1 });
  const values = await Promise.all(Array.from({ length: 200 }, (_, index) => together.set(`connection:${index}`, index)
    .then(() => together.get(`connection:${index}`))));
  assert.deepEqual(values, Array.from({ length: 200 }, (_, index) => String(index)));
  await together.flushdb();
}

// --- the same by scripts, which nobody can come between ---

// A script as an application keeps it: sent whole once, and by its digest after that.
class Script {
  constructor(redis, text) {
    Object.assign(this, { redis, text });
  }
  async run(keys, ...words) {
    this.digest ??= await this.redis.script("LOAD", this.text);
    try {
      return await this.redis.evalsha(this.digest, keys.length, ...keys, ...words);
    } catch (error) {
      if (!error.message.startsWith("NOSCRIPT")) throw error;
      this.digest = undefined; // the server was started anew, or told to forget
      return this.run(keys, ...words);
    }
  }
}

async function scriptedLookup(redis) {
  // The value, or the right to fetch it: one of twenty has it.
  const text = `
    local value = redis.call('GET', KEYS[1])
    if value then return {'value', value} end
    if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'fetch'} end
    return {'wait'}`;
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) =>
    new Script(connect(), text).run(["lookup", "lookup:lock"], `owner-${index}`, 60000)));
  const count = (word) => answers.filter(([answer]) => answer === word).length;
  assert.deepEqual([count("fetch"), count("wait")], [1, 19]);
  await redis.set("lookup", "é");
  const script = new Script(redis, text);
  assert.deepEqual(await script.run(["lookup", "lookup:lock"], "x", 60000), ["value", "é"]);
  await redis.script("FLUSH");
  assert.deepEqual(await script.run(["lookup", "lookup:lock"], "x", 60000), ["value", "é"]);
  assert.deepEqual(await redis.script("EXISTS", script.digest, "0".repeat(40)), [1, 0]);
}

async function scriptedLimit(redis) {
  const script = new Script(redis, `
    local count = redis.call('INCR', KEYS[1])
    if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return {count, count <= tonumber(ARGV[1]) and 1 or 0}`);
  await script.run(["limit"], 10, 60000);
  const answers = await Promise.all(Array.from({ length: 30 }, () => script.run(["limit"], 10, 60000)));
  assert.deepEqual(answers.map(([count]) => count), Array.from({ length: 30 }, (_, index) => index + 2));
  assert.equal(answers.filter(([, allowed]) => allowed === 1).length, 9);
  await expires(redis, "brief", 250, () => script.run(["brief"], 10, 250));
}

async function versionedUpdate(redis) {
  // Who read an older version must not overwrite a newer one.
  const script = new Script(redis, `
    local text = redis.call('GET', KEYS[1])
    local version = text and cjson.decode(text).version or 0
    if version ~= tonumber(ARGV[1]) then return redis.error_reply('CONFLICT it is newer') end
    redis.call('SET', KEYS[1], cjson.encode({value = ARGV[2], version = ARGV[1] + 1}), 'EX', 60)
    return redis.status_reply('SAVED')`);
  assert.equal(await script.run(["document"], 0, "first"), "SAVED");
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, index) =>
    script.run(["document"], 1, `by ${index}`)));
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  assert.ok(outcomes.slice(1).every(({ reason }) => reason.message.startsWith("CONFLICT it is newer")));
  assert.deepEqual(JSON.parse(await redis.get("document")), { value: "by 0", version: 2 });
}

async function scriptedWindow(redis) {
  const script = new Script(redis, `
    local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
    local count = redis.call('ZCARD', KEYS[1])
    if count >= limit then return {0, 0} end
    redis.call('ZADD', KEYS[1], now, now .. ':' .. math.random(1000000))
    redis.call('PEXPIRE', KEYS[1], window)
    return {1, limit - count - 1}`);
  const answers = [];
  for (const now of [1000, 1010, 1020, 1030, 1990, 2001, 2002, 2011, 6000])
    answers.push(await script.run(["window"], now, 1000, 3));
  assert.deepEqual(answers, [[1, 2], [1, 1], [1, 0], [0, 0], [0, 0], [1, 0], [0, 0], [1, 0], [1, 2]]);
}

async function tokenBucket(redis) {
  // Ten tokens, five more each second; the date is that of the application, so that the test says what is left.
  const script = new Script(redis, `
    local size, rate, now, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
    local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'date')
    local tokens = tonumber(bucket[1]) or size
    local passed = now - (tonumber(bucket[2]) or now)
    tokens = math.min(size, tokens + passed / 1000 * rate)
    local allowed = tokens >= wanted
    if allowed then tokens = tokens - wanted end
    redis.call('HSET', KEYS[1], 'tokens', tokens, 'date', now)
    redis.call('EXPIRE', KEYS[1], math.ceil(size / rate) + 1)
    return {allowed and 1 or 0, math.floor(tokens), tostring(tokens)}`);
  const answers = [];
  for (const [now, wanted] of [[0, 7], [0, 4], [100, 3], [150, 1], [1150, 6], [60000, 10], [60001, 1]])
    answers.push(await script.run(["bucket"], 10, 5, now, wanted));
  assert.deepEqual(answers, [[1, 3, "3"], [0, 3, "3"], [1, 0, "0.5"], [0, 0, "0.75"], [0, 5, "5.75"], [1, 0, "0"],
                             [0, 0, "0.005"]]);
  const left = await redis.ttl("bucket");
  assert.ok(left === 3 || left === 2, `TTL ${left}`);
}

async function scriptedLock(redis) {
  const release = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";
  const extend = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end " +
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2])";
  assert.equal(await redis.set("lock", "a", "NX", "PX", 60000), "OK");
  assert.equal(await redis.eval(release, 1, "lock", "b"), 0);
  assert.deepEqual([await redis.eval(extend, 1, "lock", "b", 9), await redis.eval(extend, 1, "lock", "a", 90000)], [0, 1]);
  assert.ok(await redis.pttl("lock") > 60000);
  assert.deepEqual([await redis.eval(release, 1, "lock", "a"), await redis.eval(release, 1, "lock", "a")], [1, 0]);
}

const jobs = { cacheAside, jitter, bulk, stampede, objects, sessions, leaderboard, uniqueVisitors, counters,
               fixedWindow, slidingWindow, locks, namespaces, keyBrowser, monitor, connection, scriptedLookup,
               scriptedLimit, versionedUpdate, scriptedWindow, tokenBucket, scriptedLock };

const parts = Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, async () => {
  const redis = connect();
  await redis.flushall();
  await job(redis);
}]));
runAll(parts, wanted, async () => {
  for (const client of clients.splice(0)) client.disconnect();
});
