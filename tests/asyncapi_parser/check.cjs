// Reads an AsyncAPI document with the standard's own parser and prints what it found, as JSON.
const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

async function main() {
  const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
  const operations = document ? document.operations().all() : [];
  console.log(JSON.stringify({
    diagnostics: diagnostics.map((found) => `${found.severity} ${found.code} ${found.path.join("/")} ${found.message}`),
    operations: operations.map((operation) => ({
      id: operation.id(),
      action: operation.action(),
      topics: operation.channels().all().map((channel) => channel.address()),
      headers: operation.messages().all().map((message) => message.headers().required()),
      payloads: operation.messages().all().map((message) => message.hasPayload()),
    })),
  }));
}

main();
