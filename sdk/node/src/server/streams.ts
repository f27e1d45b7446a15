/**
 * The three long-lived calls: batches to a processor, from a source, to a consumer.
 *
 * When the plugin is to stop, each takes no more requests, finishes what it has begun, and
 * ends with UNAVAILABLE: an end without an error would say that a source has come to its end.
 */

import { asPluginError, PluginError } from "../errors.js";
import { logger } from "../logger.js";
import { Delivery, type Resume } from "../delivery.js";
import { Batch } from "../batch.js";
import type { Consumer, Source } from "../protocols.js";
import * as wire from "../wire/batches.js";
import { errorMessage } from "../wire/errors.js";
import type { MessageOf } from "../wire/fields.js";
import type { Duplex } from "./calls.js";
import { cutToFit, fitting } from "./sizes.js";
import { STOPPING } from "./status.js";
import { Credits } from "./turns.js";
import type { Work } from "./work.js";

/** What the calls share: the limit, and the signal that the plugin is to stop. */
export interface Bounds {
  readonly maxMessageBytes: number;
  readonly stopping: AbortSignal;
}

/** Why a reading ends whose host has ended its side. */
const ENOUGH = Symbol("enough");

const errorOf = (thrown: unknown) => errorMessage(thrown) as never;

/**
 * Hand each request to `take` until the host ends the stream, the call breaks off, or the
 * plugin is to stop; return whether the host ended it.
 */
function receive(call: Duplex, stopping: AbortSignal, take: (request: Buffer) => void): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const end = (byHost: boolean) => () => {
      call.pause();
      stopping.removeEventListener("abort", stop);
      resolve(byHost);
    };
    const stop = end(false);
    call.on("data", (request: Buffer) => {
      if (stopping.aborted) return;
      try {
        take(request);
      } catch (error) {
        reject(error);
      }
    });
    call.on("end", end(true));
    call.on("cancelled", end(true));
    if (stopping.aborted) stop();
    else stopping.addEventListener("abort", stop);
  });
}

function write(call: Duplex, message: Buffer): void {
  if (!call.cancelled && call.writable) call.write(message);
}

/** Serve `Stream`: at most one batch more than there are workers is held at once. */
export async function streamBatches(call: Duplex, work: Work, bounds: Bounds): Promise<void> {
  const allowed = work.workers + 1;
  const open = new Set<Promise<void>>();
  write(call, wire.StreamResponse.encode({ credits: allowed }));
  const ended = await receive(call, bounds.stopping, (bytes) => {
    if (open.size >= allowed) {
      throw new PluginError(`expected at most ${allowed} unanswered batches, got one more`, {
        code: "plugin.credits_exceeded",
        hint: "send a batch only where the plugin has granted a credit for it",
      });
    }
    const answering = answerBatch(bytes, work, bounds.maxMessageBytes)
      .then((answer) => write(call, answer))
      .finally(() => open.delete(answering));
    open.add(answering);
  });
  await Promise.all(open);
  if (!ended) throw STOPPING;
}

async function answerBatch(bytes: Buffer, work: Work, limitBytes: number): Promise<Buffer> {
  const { sequence, batch } = wire.StreamRequest.decode(bytes);
  try {
    const answer = await work.batch(batch ?? Buffer.alloc(0));
    return fitting(wire.StreamResponse.encode({ sequence, answer: answer as never, credits: 1 }), limitBytes);
  } catch (error) {
    return wire.StreamResponse.encode({ sequence, error: errorOf(error), credits: 1 });
  }
}

/** Serve `Read`: what the source reads, a batch a credit, and back to it what is acknowledged. */
export async function readStream(call: Duplex, source: Source, bounds: Bounds): Promise<void> {
  const reading = new Reading(call, source, bounds);
  const listening = receive(call, bounds.stopping, (bytes) => reading.take(wire.ReadRequest.decode(bytes)));
  listening.then(
    (ended) => reading.end(ended ? undefined : STOPPING),
    (error) => reading.end(error),
  );
  await reading.run();
}

/** One stream of a source. */
class Reading {
  private readonly credits = new Credits();
  private readonly over = new AbortController();
  private last = -Infinity;
  private ended = false;
  private acknowledged: Promise<void> = Promise.resolve();
  private begin!: (after: Resume | null) => void;
  private readonly begun = new Promise<Resume | null>((resolve) => (this.begin = resolve));
  private stopHearing!: () => void;
  private readonly heard = new Promise<void>((resolve) => (this.stopHearing = resolve));

  constructor(
    private readonly call: Duplex,
    private readonly source: Source,
    private readonly bounds: Bounds,
  ) {
    call.on("cancelled", () => this.over.abort(STOPPING));
  }

  /** Take a request: where to go on, credits, what is durable. */
  take(request: MessageOf<typeof wire.ReadRequest>): void {
    const { afterPosition, afterToken, acknowledgedThrough } = request;
    this.credits.grant(request.credits);
    this.begin(afterPosition === undefined ? null : { position: afterPosition, token: afterToken });
    if (acknowledgedThrough !== undefined) this.acknowledge(acknowledgedThrough);
  }

  /** Tell the source what is durable. What it throws fails the reading, if that has not ended. */
  private acknowledge(position: number): void {
    this.acknowledged = this.acknowledged
      .then(() => this.source.acknowledge?.(position))
      .catch((error: unknown) => {
        if (!this.ended) return this.stop(error);
        logger.error(`an acknowledgement failed: ${asPluginError(error).message}`, { position });
      });
  }

  /**
   * Take it that no request comes any more; what was acknowledged before is handed on first. A
   * source that waits for its next row is not waited for.
   */
  end(why: unknown): void {
    const close = () => {
      this.stop(why ?? ENOUGH);
      this.stopHearing();
    };
    this.begin(null);
    if (why === undefined) void this.acknowledged.then(close);
    else close();
  }

  private stop(why: unknown): void {
    this.over.abort(why);
    this.credits.close(why);
  }

  /**
   * Send what the source reads, then that it has ended, and listen until the host ends its
   * side; what the source throws is the last thing that is sent.
   */
  async run(): Promise<void> {
    const after = await this.begun;
    try {
      await this.send(after);
    } catch (error) {
      if (error === STOPPING) throw error;
      if (error === ENOUGH) return;
      return write(this.call, wire.ReadResponse.encode({ error: errorOf(error) }));
    }
    write(this.call, wire.ReadResponse.encode({ ended: true }));
    await this.heard;
    if (this.credits.failure === STOPPING) throw STOPPING;
  }

  private async send(after: Resume | null): Promise<void> {
    const items = this.source.read(after, this.over.signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        await this.credits.take();
        const next = await this.orOver(items.next());
        if (next.done) return this.conclude();
        await this.sendBatch(next.value);
      }
    } finally {
      // Not awaited: a source that waits for its next row would hold up the end.
      void Promise.resolve(items.return?.()).catch(() => undefined);
    }
  }

  /** Take it that the source has ended, unless it could not acknowledge before. */
  private conclude(): void {
    if (this.credits.failure !== undefined) throw this.credits.failure;
    this.ended = true;
  }

  private async sendBatch(found: Parameters<typeof cutToFit>[0]): Promise<void> {
    this.last = checkedPositions(found.positions, found.batch.length, this.last);
    let first = true;
    for (const message of cutToFit(found, this.bounds.maxMessageBytes)) {
      if (!first) await this.credits.take();
      first = false;
      write(this.call, message);
    }
  }

  /** Wait for `next`, but no longer than the reading lasts. */
  private orOver<T>(next: Promise<T>): Promise<T> {
    const { signal } = this.over;
    return new Promise((resolve, reject) => {
      const over = () => reject(signal.reason);
      if (signal.aborted) over();
      signal.addEventListener("abort", over, { once: true });
      next.then(resolve, reject).finally(() => signal.removeEventListener("abort", over));
    });
  }
}

/** Check that there is a position a row and none below `last`; return the last one. */
function checkedPositions(positions: readonly number[], rows: number, last: number): number {
  const invalid = (why: string) => new PluginError(why, { code: "plugin.output_invalid" });
  if (positions.length !== rows)
    throw invalid(`expected the position of each of ${rows} rows, got ${positions.length}`);
  for (const position of positions) {
    if (position < last) throw invalid(`positions never decrease, got ${position} after ${last}`);
    last = position;
  }
  return last;
}

/** Serve `Consume`: an answer to each request, in order. */
export async function consumeStream(call: Duplex, consumer: Consumer, bounds: Bounds): Promise<void> {
  let last: Promise<void> = Promise.resolve();
  const ended = await receive(call, bounds.stopping, (bytes) => {
    const request = wire.ConsumeRequest.decode(bytes);
    last = last.then(async () => write(call, await consumed(consumer, request)));
  });
  await last;
  if (!ended) throw STOPPING;
}

type ConsumeRequest = MessageOf<typeof wire.ConsumeRequest>;

async function consumed(consumer: Consumer, request: ConsumeRequest): Promise<Buffer> {
  const { sequence } = request;
  try {
    const durable = await consume(consumer, request);
    return wire.ConsumeResponse.encode({ sequence, durableThrough: durable ?? undefined });
  } catch (error) {
    return wire.ConsumeResponse.encode({ sequence, error: errorOf(error) });
  }
}

/** Hand over a delivery; a flush without rows brings none. */
async function consume(consumer: Consumer, request: ConsumeRequest): Promise<number | null> {
  const delivery = decodeDelivery(request);
  const taken = delivery.batch.length > 0 || !request.flush ? await consumer.consume(delivery) : null;
  const flushed = request.flush ? await consumer.flush?.() : null;
  return flushed ?? taken;
}

/**
 * Return the delivery of a request.
 *
 * @throws PluginError `message.batch_invalid`: a row lacks its position.
 */
export function decodeDelivery(request: ConsumeRequest): Delivery {
  const batch = request.batch === undefined ? Batch.empty() : wire.decodeBatch(request.batch);
  if (batch.length !== request.positions.length) {
    throw new PluginError(`expected the position of each of ${batch.length} rows, got ${request.positions.length}`, {
      code: "message.batch_invalid",
    });
  }
  return new Delivery(batch, request.positions, request.completedThrough);
}
