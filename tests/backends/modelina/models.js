// Prints the models that Modelina makes of an AsyncAPI document, as JSON: node models.js FILE TypeScript|Python
const { readFileSync } = require("node:fs");
const modelina = require("@asyncapi/modelina");

async function main() {
  const [file, language] = process.argv.slice(2);
  const models = await new modelina[`${language}Generator`]().generate(readFileSync(file, "utf8"));
  console.log(JSON.stringify(models.map((model) => ({ name: model.modelName, code: model.result }))));
}

main();
