import Module from 'node:module';
import { currentEnvironment, replaceEnvironment } from './environment.ts';

/** Takes note of what a function can see of a process; what is returned brings it back to that. */
export function recordProcessState(): () => void {
  const environment = currentEnvironment();
  const workingDirectory = process.cwd();
  // Only the names: to ask for some of the values makes Node.js load what they stand for.
  const restoreGlobals = recordKeys(globalThis);
  const restoreConsole = recordProperties(console);
  const restoreListeners = recordListeners();
  const restoreModules = recordKeys(internalTable('_cache'));
  const restorePaths = recordKeys(internalTable('_pathCache'));
  const prototype: object = Module.prototype;
  const compile: unknown = Reflect.get(prototype, '_compile');
  return () => {
    replaceEnvironment(environment);
    process.chdir(workingDirectory);
    restoreGlobals();
    restoreConsole();
    restoreListeners();
    restoreModules();
    restorePaths();
    if (Reflect.get(prototype, '_compile') !== compile) {
      Reflect.set(prototype, '_compile', compile);
    }
  };
}

function internalTable(name: string): object {
  const table: unknown = Reflect.get(Module, name);
  return typeof table === 'object' && table !== null ? table : {};
}

function recordKeys(table: object): () => void {
  const keys = new Set(Reflect.ownKeys(table));
  return () => {
    for (const key of Reflect.ownKeys(table)) {
      if (!keys.has(key)) Reflect.deleteProperty(table, key);
    }
  };
}

/** With their descriptors, so that what is defined on first use is not used for it. */
function recordProperties(object: object): () => void {
  const earlier = new Map(
    Reflect.ownKeys(object).map((key) => [key, Reflect.getOwnPropertyDescriptor(object, key)]),
  );
  return () => {
    for (const key of Reflect.ownKeys(object)) {
      const before = earlier.get(key);
      const now = Reflect.getOwnPropertyDescriptor(object, key);
      if (before === undefined) Reflect.deleteProperty(object, key);
      else if (now?.value !== before.value || now?.get !== before.get) {
        Object.defineProperty(object, key, before);
      }
    }
  };
}

const EVENTS = ['beforeExit', 'exit', 'uncaughtException', 'unhandledRejection', 'warning'];

function recordListeners(): () => void {
  const earlier = new Map(EVENTS.map((event) => [event, new Set(listenersOf(event))]));
  return () => {
    for (const event of EVENTS) {
      for (const listener of listenersOf(event)) {
        if (earlier.get(event)?.has(listener) !== true) {
          emitter.removeListener(event, listener);
        }
      }
    }
  };
}

/** What Node.js gives out as listeners are functions; it says so only of those it takes. */
function isListener(value: unknown): value is Listener {
  return typeof value === 'function';
}

type Listener = (...args: unknown[]) => void;

const emitter: NodeJS.EventEmitter = process;

function listenersOf(event: string): Listener[] {
  return emitter.listeners(event).filter(isListener);
}
