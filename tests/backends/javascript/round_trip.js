// CloudEvents over Kafka by the JavaScript SDK:
//   node round_trip.js send BOOTSTRAP TOPIC binary|structured   an event as JSON comes on stdin
//   node round_trip.js receive BOOTSTRAP TOPIC                  the first event goes to stdout as JSON
const { readFileSync } = require("node:fs");
const { CloudEvent, Kafka: binding } = require("cloudevents");
const { Kafka, Partitioners, logLevel } = require("kafkajs");

const [action, bootstrap, topic, mode] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR });

async function send() {
  const event = new CloudEvent(JSON.parse(readFileSync(0, "utf8")));
  const message = mode === "structured" ? binding.structured(event) : binding.binary(event);
  // The binding leaves the data as it is; kafkajs takes bytes or text.
  const value = typeof message.value === "string" ? message.value : JSON.stringify(message.value);
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
  await producer.connect();
  // It names attributes that the event lacks, too; kafkajs takes no `undefined`.
  const headers = Object.fromEntries(Object.entries(message.headers).filter(([, text]) => text !== undefined));
  await producer.send({ topic, messages: [{ key: message.key, value, headers }] });
  await producer.disconnect();
}

async function receive() {
  const consumer = kafka.consumer({ groupId: `javascript-${process.pid}-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const message = await new Promise((resolve) => {
    consumer.run({ eachMessage: async ({ message }) => resolve(message) });
  });
  // kafkajs gives bytes, the binding reads text.
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, `${value}`]));
  const event = binding.toEvent({ key: `${message.key}`, value: `${message.value}`, headers });
  console.log(event.toString());
  await consumer.disconnect();
}

(action === "send" ? send() : receive()).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
