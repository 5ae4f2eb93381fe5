// An agent that traces by itself, with OpenTelemetry's own packages and names.
import { trace } from "@opentelemetry/api";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${process.env.KIND}`);
const provider = new NodeTracerProvider({
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
const tracer = trace.getTracer("node-agent", "1.0");
const agent = { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper" };
const tool = {
  "gen_ai.operation.name": "execute_tool",
  "gen_ai.tool.name": "lookup",
  "gen_ai.tool.call.arguments": '{"città": "Forlì 🎉"}',
};
tracer.startActiveSpan("invoke_agent helper", { attributes: agent }, (outer) => {
  tracer.startActiveSpan("execute_tool lookup", { attributes: tool }, (inner) => {
    inner.recordException(new TypeError("no such place"));
    inner.setStatus({ code: 2, message: "no such place" });
    inner.end();
  });
  outer.end();
});
await provider.shutdown();
