// An anywidget model without a kernel: traits in an object, and `answer` for requests.
import type { Model } from "../src/source/model";

export interface Request {
  kind: "request";
  id: number;
  method: string;
  params: Record<string, unknown>;
}

type Answer = (request: Request) => { result: unknown; buffers?: DataView[] } | undefined;

export class FakeModel<T extends object> implements Model<T> {
  readonly sent: Request[] = [];
  saves = 0;
  private readonly listeners = new Map<string, Set<(...args: any[]) => void>>();

  constructor(
    readonly traits: T,
    private readonly answer: Answer = () => undefined,
  ) {}

  get<K extends keyof T & string>(key: K): T[K] {
    return this.traits[key];
  }

  set<K extends keyof T & string>(key: K, value: T[K]): void {
    this.traits[key] = value;
    this.emit(`change:${key}`);
  }

  /** As the kernel writes: a front end's own model is locked meanwhile, and handed to listeners. */
  written<K extends keyof T & string>(key: K, value: T[K]): void {
    this.traits[key] = value;
    this.emit(`change:${key}`, { _state_lock: { [key]: value } }, value);
  }

  save_changes(): void {
    this.saves++;
  }

  on(event: string, callback: (...args: any[]) => void): void {
    const known = this.listeners.get(event);
    if (known) known.add(callback);
    else this.listeners.set(event, new Set([callback]));
  }

  off(event: string, callback?: ((...args: any[]) => void) | null): void {
    if (callback) this.listeners.get(event)?.delete(callback);
    else this.listeners.delete(event);
  }

  send(content: unknown): void {
    const request = content as Request;
    this.sent.push(request);
    const reply = request.kind === "request" ? this.answer(request) : undefined;
    if (reply) queueMicrotask(() => this.reply(request, reply.result, reply.buffers));
  }

  reply(request: Request, result: unknown, buffers: DataView[] = []): void {
    this.emit("msg:custom", { kind: "reply", id: request.id, result }, buffers);
  }

  /** How far an action is. */
  tell(request: Request, progress: { done: number; total: number }): void {
    this.emit("msg:custom", { kind: "progress", id: request.id, ...progress });
  }

  fail(request: Request, type: string, message: string): void {
    this.emit("msg:custom", { kind: "reply", id: request.id, error: { type, message } }, []);
  }

  get listening(): number {
    let total = 0;
    for (const listeners of this.listeners.values()) total += listeners.size;
    return total;
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...args);
  }
}

/** Wait until `check` gives something truthy. */
export async function until<T>(check: () => T, milliseconds = 5000): Promise<NonNullable<T>> {
  const end = performance.now() + milliseconds;
  for (;;) {
    const value = check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`still false: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether a real browser runs the tests. */
export const inBrowser = !navigator.userAgent.includes("HappyDOM");
