// @anthropic-ai/sdk: messages, streams, a tool loop, models, errors.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic();
const model = "claude-sonnet-4-5", max_tokens = 99;
const user = (content) => ({ role: "user", content });
const ask = (messages, more = {}) => client.messages.create({ model, max_tokens, messages, ...more });
const said = {};

said.plain = (await ask([user("Hi")])).content[0].text;
const events = client.messages.stream({ model, max_tokens, messages: [user("Hi")] });
said.stream = (await events.finalMessage()).content[0].text;
const tools = [{
  name: "get_weather",
  input_schema: { type: "object", properties: { city: { type: "string" } } },
}];
const first = await ask([user("weather in Paris")], { tools });
const call = first.content.at(-1);
const result = { type: "tool_result", tool_use_id: call.id, content: "21 degrees" };
const told = [user("weather in Paris"), { role: "assistant", content: first.content }, user([result])];
said.tools = (await ask(told, { tools })).content[0].text;
said.models = [];
for await (const one of client.models.list()) said.models.push(one.id);
said.busy = (await ask([user("busy at first: anthropic-node")])).content[0].text;

const refusal = async (text, name = model, options = {}) => {
  try {
    await client.withOptions(options).messages.create({ model: name, max_tokens, messages: [user(text)] });
  } catch (error) {
    return [error.constructor.name, error.status, error.error.error.type];
  }
};
said.errors = [
  await refusal("Hi", model, { apiKey: "usp_wrong" }),
  await refusal("fail with 402"),
  await refusal("fail with 403"),
  await refusal("Hi", "claude-not-declared"),
  await refusal("Hi", "claude-unknown"),
];
console.log(JSON.stringify(said));
