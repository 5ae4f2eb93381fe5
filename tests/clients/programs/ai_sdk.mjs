// Vercel's AI SDK: its providers for OpenAI (responses, chat), Anthropic, and anything compatible.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const openai = createOpenAI();
// This provider's own default already ends in /v1, so what it is given must too.
const anthropic = createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` });
const compatible = createOpenAICompatible({
  name: "gateway",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
});
const get_weather = tool({
  description: "Return the weather in a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `21 degrees in ${city}`,
});
const said = {};
for (const [name, model] of Object.entries({
  responses: openai("gpt-5-mini"),
  chat: openai.chat("gpt-5-mini"),
  messages: anthropic("claude-sonnet-4-5"),
  compatible: compatible("gpt-5-mini"),
})) {
  const streamed = streamText({ model, prompt: "Hi" });
  said[name] = {
    plain: (await generateText({ model, prompt: "Hi" })).text,
    stream: await streamed.text,
    tools: (await generateText({
      model,
      prompt: "weather in Paris",
      tools: { get_weather },
      stopWhen: stepCountIs(3),
    })).text,
  };
}
said.busy = (await generateText({ model: openai.chat("gpt-5-mini"), prompt: "busy at first: ai" })).text;

const refusal = async (model, prompt = "Hi") => {
  try {
    await generateText({ model, prompt });
  } catch (error) {
    return [error.name, error.statusCode];
  }
};
said.errors = [
  await refusal(createOpenAI({ apiKey: "usp_wrong" }).chat("gpt-5-mini")),
  await refusal(openai.chat("gpt-5-mini"), "fail with 402"),
  await refusal(openai.chat("gpt-5-mini"), "fail with 403"),
  await refusal(openai.chat("gpt-not-declared")),
  await refusal(anthropic("claude-unknown")),
];
console.log(JSON.stringify(said));
