/** The reference processor: it does what the key `do` of each payload says. */

import { appendFileSync } from "node:fs";
import { Drop, FunctionProcessor, logger, Message, PluginError } from "cdpplugin";

import { checked, schema } from "./configuration.js";
import { instruction, INSTRUCTIONS, startFailure } from "./instructions.js";

// A WebAssembly component has no files, and no Node.
const HAS_FILES = process.versions !== undefined;
const DIARY = { type: "string", default: "", description: "File to note start and stop in." };

const METADATA = {
  name: "cdp-reference-processor",
  version: "1.0.0",
  description: "Does what a payload asks for",
  license: "Apache-2.0",
  configSchema: schema({
    greeting: { type: "string", description: "Any text." },
    extra: { description: "Any value." },
    start: { enum: ["", ...INSTRUCTIONS], default: "", description: "How its start fails." },
    ...(HAS_FILES && { diary: DIARY }),
  }),
};

/** Does what a payload asks for; several batches may be in work at once. */
export class ReferenceProcessor extends FunctionProcessor {
  #settings = {};
  #context;
  #status = { status: "healthy" };
  #changes = 0;
  #count = 0;

  constructor() {
    super(METADATA, (message) => this.#work(message));
  }

  async configure(config) {
    this.#settings = checked(config, METADATA.configSchema);
    this.config = config;
  }

  async start(context) {
    if (this.#settings.start) throw startFailure(this.#settings.start);
    this.#context = context;
    this.#note("start");
  }

  async stop() {
    this.#note("stop");
  }

  #note(word) {
    if (this.#settings.diary) appendFileSync(this.#settings.diary, `${word}\n`);
  }

  async health() {
    return this.#status;
  }

  exportState() {
    return new TextEncoder().encode(String(this.#count));
  }

  importState(state) {
    this.#count = Number(new TextDecoder().decode(state));
  }

  /** Do what the payload asks for; what asks for nothing passes. */
  #work(message) {
    const payload = message.payload;
    const obeyed = payload !== null && typeof payload === "object" && !Array.isArray(payload) && "do" in payload;
    if (!obeyed) return message;
    if (INSTRUCTIONS.includes(payload.do)) throw instruction(payload.do, payload);
    if (!Object.hasOwn(this.#actions, payload.do)) {
      throw new PluginError(`unknown action \`${payload.do}\``, { code: "reference.unknown" });
    }
    return this.#actions[payload.do](message, payload);
  }

  #actions = {
    echo: (message) => message,
    drop: (_message, payload) => {
      if ("reason" in payload) throw new Drop(payload.reason);
      return null;
    },
    many: (message, { count, ids }) =>
      Array.from({ length: count }, (_, index) => {
        const id = ids ? `${message.id}/${index}` : "";
        return new Message({ id, type: "Reference.Part", payload: { index } });
      }),
    set: (message, payload) => {
      if ("id" in payload) message.id = payload.id;
      if ("type" in payload) message.type = payload.type;
      if ("content_type" in payload) message.contentType = payload.content_type;
      if ("trace_id" in payload) message.traceId = payload.trace_id;
      if ("source" in payload) message.source = payload.source;
      return message;
    },
    metadata: (message, payload) => {
      message.metadata = { ...message.metadata, ...(payload.set ?? { seen: true }) };
      return message;
    },
    rewrite: (message, payload) => answer(message, { ...payload, rewritten: true }),
    big: (message, payload) => answer(message, { text: "x".repeat(payload.size_bytes) }),
    describe: (message) => answer(message, attributes(message)),
    config: (message) => answer(message, this.config),
    context: (message) => {
      const { pipeline, stage, network, schemas } = this.#context;
      return answer(message, { pipeline, stage, network, schemas });
    },
    count: (message) => answer(message, { count: ++this.#count }),
    health: (message, { status, message: text }) => {
      const details = { changes: ++this.#changes, é: ["text", null, true] };
      this.#status = { status, message: text, details };
      return message;
    },
    log: (message, { lines }) => {
      for (let line = 0; line < lines; line++) logger.debug("a line of the reference processor", { line });
      return message;
    },
    sleep: async (message, { seconds }) => {
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      return message;
    },
  };
}

function answer(message, payload) {
  message.payload = payload;
  return message;
}

function attributes({ id, type, metadata, source: { name, network, uri }, traceId, contentType }) {
  return { id, type, metadata, source: { name, network, uri }, trace_id: traceId, content_type: contentType };
}
