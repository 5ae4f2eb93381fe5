// openai-node: chat, streams, tools, responses, models, errors.
import OpenAI from "openai";

const client = new OpenAI();
const model = "gpt-5-mini";
const user = (content) => ({ role: "user", content });
const ask = (text, more = {}) =>
  client.chat.completions.create({ model, messages: [user(text)], ...more });
const said = {};

said.plain = (await ask("Hi")).choices[0].message.content;
said.stream = "";
for await (const chunk of await ask("Hi", { stream: true }))
  said.stream += chunk.choices[0]?.delta?.content ?? "";
const runner = client.chat.completions.runTools({
  model,
  messages: [user("weather in Paris")],
  tools: [{
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } } },
      parse: JSON.parse,
      function: ({ city }) => `21 degrees in ${city}`,
    },
  }],
});
said.tools = await runner.finalContent();
said.responses = (await client.responses.create({ model, input: "Hi" })).output_text;
said.responses_stream = "";
for await (const event of await client.responses.create({ model, input: "Hi", stream: true }))
  if (event.type === "response.output_text.delta") said.responses_stream += event.delta;
said.models = (await client.models.list()).data.map((one) => one.id);
said.busy = (await ask("busy at first: node")).choices[0].message.content;

const refusal = async (text, name = model, options = {}) => {
  try {
    await client.withOptions(options).chat.completions.create({ model: name, messages: [user(text)] });
  } catch (error) {
    return [error.constructor.name, error.status, error.code];
  }
};
said.errors = [
  await refusal("Hi", model, { apiKey: "usp_wrong" }),
  await refusal("fail with 402"),
  await refusal("fail with 403"),
  await refusal("Hi", "gpt-not-declared"),
  await refusal("Hi", "gpt-unknown"),
];
console.log(JSON.stringify(said));
