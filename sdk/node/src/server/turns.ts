/** Waiting: for one of a number of turns, and for credits. */

/** A number of turns; who comes when none is left waits in line. */
export class Turns {
  private readonly line: (() => void)[] = [];

  constructor(private left: number) {}

  /** Take a turn, waiting for it. */
  async take(): Promise<void> {
    if (this.left > 0) this.left--;
    else await new Promise<void>((resolve) => this.line.push(resolve));
  }

  /** Give a turn back. */
  give(): void {
    const next = this.line.shift();
    if (next === undefined) this.left++;
    else next();
  }
}

/** Counts what may still be sent; the one who sends waits here for more. */
export class Credits {
  private count = 0;
  private closed = false;
  /** Why nothing may be sent any more, or undefined. */
  failure: unknown;
  private wake: (() => void) | undefined;

  /** Allow `count` more. */
  grant(count: number): void {
    this.count += count;
    this.wake?.();
  }

  /** Say that no more will be granted; with an error, that nothing may be sent any more. */
  close(error?: unknown): void {
    this.closed = true;
    this.failure ??= error;
    this.wake?.();
  }

  /**
   * Take one, waiting for it; false when none will come any more.
   *
   * @throws what `close` was given.
   */
  async take(): Promise<boolean> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      if (this.count > 0) {
        this.count--;
        return true;
      }
      if (this.closed) return false;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
