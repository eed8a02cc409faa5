// The traits of a widget on a page without a kernel: they may change, and nobody else hears of it.
import type { Model } from "./model";

type Callback = (...args: any[]) => void;

export class PageModel<T extends object> implements Model<T> {
  private readonly callbacks = new Map<string, Set<Callback>>();

  constructor(private readonly traits: T) {}

  get<K extends keyof T & string>(key: K): T[K] {
    return this.traits[key];
  }

  set<K extends keyof T & string>(key: K, value: T[K]): void {
    if (this.traits[key] === value) return;
    this.traits[key] = value;
    for (const callback of [...(this.callbacks.get(`change:${key}`) ?? [])]) callback();
  }

  save_changes(): void {}

  send(): void {}

  on(event: string, callback: Callback): void {
    if (!this.callbacks.has(event)) this.callbacks.set(event, new Set());
    this.callbacks.get(event)!.add(callback);
  }

  off(event: string, callback?: Callback | null): void {
    if (callback) this.callbacks.get(event)?.delete(callback);
    else this.callbacks.delete(event);
  }
}
