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
const closers = []; // what ends whatever the part at hand opened, last first

function closing(thing, how) {
  closers.push(how);
  return thing;
}

function ioredis() {
  const Redis = require("ioredis");
  const client = new Redis(address);
  client.on("error", () => {}); // a command that fails says so itself
  return closing(client, () => client.disconnect());
}

async function nodeRedis() {
  const { createClient } = require("redis");
  const client = createClient({ socket: address });
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

const parts = {
  "connect-redis": connectRedis,
  "socket.io": socketIo,
};

runAll(parts, wanted, async () => {
  for (const close of closers.splice(0).reverse()) await Promise.race([close(), sleep(2000)]);
});
