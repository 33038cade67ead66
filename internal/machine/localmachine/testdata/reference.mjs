// Fills in what the reference implementation, found from the current folder,
// makes of every expression in the file: node reference.mjs expressions.jsonl
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const jsonata = createRequire(process.cwd() + "/")("jsonata");
const file = process.argv[2];
const lines = readFileSync(file, "utf8").split("\n").filter((line) => line !== "");
const out = [];
for (const line of lines) {
  const { expression, bindings } = JSON.parse(line);
  let result;
  try {
    result = await jsonata(expression).evaluate(undefined, bindings);
  } catch {
    result = undefined;
  }
  out.push(JSON.stringify({ expression, bindings, result }));
}
writeFileSync(file, out.join("\n") + "\n");
