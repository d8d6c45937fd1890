// node_runner: runs named asynchronous functions one after the other, for the programs beside it.
//
// runAll(parts, wanted, close) runs those of `parts` that are `wanted`, or all, each with `close` behind it, and prints
// one JSON object: {name: null, or what went wrong}. Then the process ends.
"use strict";

module.exports = async function runAll(parts, wanted, close) {
  const results = {};
  const late = [];
  process.on("unhandledRejection", (error) => late.push(error));
  process.on("uncaughtException", (error) => late.push(error));
  for (const [name, part] of Object.entries(parts)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const began = performance.now();
    let deadline;
    try {
      const timeout = new Promise((_, reject) => {
        deadline = setTimeout(() => reject(new Error("not within 60 s")), 60000);
      });
      await Promise.race([part(), timeout]);
      if (late.length > 0) throw late[0];
      results[name] = null;
    } catch (error) {
      results[name] = error.stack;
    }
    clearTimeout(deadline);
    if (process.env.RUNNER_TIMES) console.error(`${name}: ${Math.round(performance.now() - began)} ms`);
    await close();
    await new Promise(setImmediate);
    late.length = 0; // whatever waited for an answer on a closed connection
  }
  process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));
};
