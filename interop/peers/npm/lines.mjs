// One job a line in, one answer a line out: `interop/src/play/driver.rs` says what they are.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** The library offers no way to ask for this. */
export class Absent extends Error {}

export async function serve(packages, operations) {
  console.log = console.info = console.debug = console.error;
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    const answer = job.op === "versions" ? { ok: versions(packages) } : await attempt(operations[job.op], job);
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

/** Whatever a library throws at what somebody else wrote is its verdict. */
async function attempt(operation, job) {
  try {
    return { ok: await operation(job) };
  } catch (error) {
    if (error instanceof Absent) return { absent: error.message };
    return { error: String(error?.message ?? error) };
  }
}

function versions(packages) {
  const read = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, root()))).version;
  return Object.fromEntries(packages.map((name) => [name, read(name)]));
}

/** Where the packages are: this file is copied beside them. */
function root() {
  return new URL("./", import.meta.url);
}
