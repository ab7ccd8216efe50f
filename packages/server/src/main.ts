import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { createEnvironmentsHandler } from './api/admin/environments-handler.ts';
import { createHealthHandler } from './api/admin/health-handler.ts';
import { createLogsHandler } from './api/admin/logs-handler.ts';
import type { AdminRoute } from './api/admin-router.ts';
import { codeDownloadRoute } from './api/code-download.ts';
import { HttpServer } from './api/http-server.ts';
import { createLambdaApi } from './api/lambda-api.ts';
import { layerDownloadRoute } from './api/layer-download.ts';
import { CodeCacheStore } from './artifacts/code-cache-store.ts';
import { DirectoryCodeStore } from './artifacts/directory-code-store.ts';
import { HotReloadWatcher } from './artifacts/hot-reload-watcher.ts';
import { LayerFolders } from './artifacts/layer-folders.ts';
import { SystemClock } from './clock/system-clock.ts';
import type { ServerConfig } from './config/server-config.ts';
import { Admission } from './invoke/admission.ts';
import { PoolInvoker } from './invoke/pool-invoker.ts';
import { SegmentLogStore } from './logs/segment-log-store.ts';
import { CodeCollector } from './pool/code-collector.ts';
import { EnvironmentEvents } from './pool/environment/environment-events.ts';
import { EnvironmentLedger } from './pool/environment-ledger.ts';
import { EnvironmentPool } from './pool/environment-pool.ts';
import { viewOf } from './pool/environment-view.ts';
import { IdleFreezer } from './pool/environment/idle-freezer.ts';
import { JavaArchives } from './pool/launch/java-archives.ts';
import { makeClassArchive } from './pool/launch/make-class-archive.ts';
import { Retirement } from './pool/retirement.ts';
import { RuntimeLauncher } from './pool/launch/runtime-launcher.ts';
import { StartGate } from './pool/workers/start-gate.ts';
import { WorkerPool } from './pool/workers/worker-pool.ts';
import { WorkerPreparation } from './pool/workers/worker-preparation.ts';
import { runtimeVersionArn } from './domain/runtimes.ts';
import { CachedFunctionRegistry } from './registry/cached-function-registry.ts';
import { CachedLayerRegistry } from './registry/cached-layer-registry.ts';
import { FunctionActivation } from './registry/function-activation.ts';
import { BootstrapFolders } from './runtimes/bootstrap-folders.ts';
import { LocalRuntimeCatalog } from './runtimes/local-runtime-catalog.ts';
import { runtimeObstacle } from './runtimes/runtime-obstacle.ts';
import { chooseSandboxDriver, type ChosenDriver } from './sandbox/choose-driver.ts';
import { SqliteDatabase } from './store/sqlite/sqlite-database.ts';
import { SqliteFunctionStore } from './store/sqlite/sqlite-function-store.ts';
import { SqliteLayerStore } from './store/sqlite/sqlite-layer-store.ts';
import { packageVersion } from './version.ts';

/** A server that answers. */
export interface RunningServer extends AsyncDisposable {
  /** `http://127.0.0.1:4566` */
  readonly endpoint: string;
  /** Takes no more requests, lets those that run end within a bound, and ends everything. */
  close(): Promise<void>;
}

/** How long events that run may still take when the server is stopped. */
const CLOSE_GRACE_MS = 20_000;
/** How long an environment is idle before it is frozen: events that follow closely need no thaw. */
const FREEZE_GRACE_MS = 5;

/**
 * Puts the server together and starts it. This is the only place that names drivers and stores.
 * Rejects, with nothing left running, where a part cannot start.
 */
export async function startServer(config: ServerConfig): Promise<RunningServer> {
  await using parts = new AsyncDisposableStack();
  const clock = new SystemClock();
  const { dataDir, region, accountId, hotReloadRoots } = config;

  const database = parts.use(SqliteDatabase.open(join(dataDir, 'hearth.db')));
  const registry = await CachedFunctionRegistry.load(new SqliteFunctionStore(database));
  const layers = await CachedLayerRegistry.load(new SqliteLayerStore(database));
  const codeStore = await DirectoryCodeStore.open({ root: join(dataDir, 'code'), clock });
  const layerFolders = await LayerFolders.open({ root: join(dataDir, 'layers'), clock, codeStore });
  const codeCaches = parts.use(
    await CodeCacheStore.open({
      root: join(dataDir, 'cache', 'v8'),
      clock,
      onFault: reportFault('code cache'),
    }),
  );
  const logStore = parts.use(
    await SegmentLogStore.open({
      directory: join(dataDir, 'logs'),
      clock,
      onFault: reportFault('log'),
    }),
  );
  const sandbox = await chooseSandboxDriver(config.sandbox, dataDir, {
    egress: config.egress,
    clock,
    onFault: (what, cause) => reportFault(what)(cause),
  });
  parts.use(sandbox.driver);
  await sandbox.driver.sweep();

  let endpoint = '';
  const catalog = new LocalRuntimeCatalog({ dataDir, strict: config.strictRuntimes });
  const bootstraps = parts.use(
    new BootstrapFolders({
      sources: BOOTSTRAPS,
      cacheDirectory: join(dataDir, 'cache', 'bootstraps'),
      onFault: reportFault('bootstrap'),
    }),
  );
  const javaArchives = parts.use(
    new JavaArchives({
      dataDir,
      catalog,
      driverName: sandbox.driver.name,
      make: (given) => makeClassArchive({ driver: sandbox.driver, clock, ...given }),
      onFault: reportFault('java'),
    }),
  );
  for (const version of registry.all()) void javaArchives.prepare(version);
  const startGate = new StartGate(2 * availableParallelism());
  const onFault = (what: string, cause: unknown): void => reportFault(what)(cause);
  let acceptFromFunction: ((socket: Socket) => void) | undefined;
  const workers = parts.use(
    new WorkerPool({
      driver: sandbox.driver,
      clock,
      startGate,
      acceptFromFunction: (socket) => acceptFromFunction?.(socket),
      minimum: config.prewarm,
      memoryMb: config.prewarmMemoryMb,
      reportFault: onFault,
    }),
  );
  const environmentEvents = new EnvironmentEvents();
  const launcher = new RuntimeLauncher(catalog, codeStore, (of) => bootstraps.folderFor(of), {
    layerFolder: ({ layers: used = [] }) => layerFolders.folder(used),
    javaFolder: (interpreter) => javaArchives.folder(interpreter),
  });
  const ledger = parts.use(new EnvironmentLedger(environmentEvents));
  const pool = parts.use(
    new EnvironmentPool(
      {
        driver: sandbox.driver,
        workers,
        // What is executed unchecked must not lie where a function can write.
        codeCaches: sandbox.driver.enforcement.filesystem ? codeCaches : undefined,
        events: environmentEvents,
        freezer: new IdleFreezer(clock, FREEZE_GRACE_MS),
        functionEndpoint: config.functionEndpoint,
        acceptFromFunction: (socket) => acceptFromFunction?.(socket),
        launcher,
        logStore,
        clock,
        startGate,
        endpoint: () => endpoint,
        hostPath: sandbox.driver.name === 'process' ? process.env['PATH'] : undefined,
        reportFault: onFault,
      },
      {
        keepAliveMs: config.keepAliveSeconds * 1_000,
        maxLifetimeMs: config.maxLifetimeSeconds * 1_000,
      },
    ),
  );
  const invoker = new PoolInvoker(new Admission(config.accountConcurrency), pool);
  const watcher = parts.use(new HotReloadWatcher({ clock, onFault: reportFault('hot-reload') }));
  parts.use(new Retirement(registry, pool, watcher));
  parts.use(
    new WorkerPreparation(
      registry,
      launcher,
      workers,
      () => bootstraps.settled(),
      reportFault('worker pool'),
    ),
  );
  parts.use(
    new CodeCollector({
      registry,
      layers,
      pool,
      codeStore,
      layerFolders,
      codeCaches,
      clock,
      onFault: reportFault('code collector'),
    }),
  );
  const activation = parts.use(
    new FunctionActivation({
      registry,
      codeStore,
      clock,
      prepare: (version) => javaArchives.prepare(version),
      onFault: reportFault('activation'),
    }),
  );

  const stopping = new AbortController();
  const adminRoutes: AdminRoute[] = [
    codeDownloadRoute(registry, codeStore),
    layerDownloadRoute(layers, codeStore),
    {
      method: 'GET',
      path: '/_hearth/logs',
      handle: createLogsHandler({ logs: logStore, accountId, region, signal: stopping.signal }),
    },
    {
      method: 'GET',
      path: '/_hearth/environments',
      handle: createEnvironmentsHandler({
        environments: () => pool.environments().map(viewOf),
        readyWorkers: () => workers.ready(),
        transitions: (id) => ledger.latest(id),
      }),
    },
    {
      method: 'GET',
      path: '/_hearth/health',
      handle: createHealthHandler({
        version: packageVersion(),
        region,
        accountId,
        dataDir,
        sandbox: sandboxReport(sandbox),
        catalog,
      }),
    },
  ];
  const http = new HttpServer({
    adminRoutes,
    lambdaApi: createLambdaApi({
      registry,
      codeStore,
      layers,
      layerFolders,
      invoker,
      clock,
      defaults: { accountId, region },
      activate: (version) => activation.activate(version),
      ...(hotReloadRoots !== undefined && { hotReloadRoots }),
      runtimeVersionArn: ({ region: of, runtime }) => runtimeVersionArn(of, runtime),
      runtimeAvailability: (runtime) => runtimeObstacle(runtime, catalog, dataDir),
      onFault: reportFault('request'),
    }),
    ownHosts: [config.host.toLowerCase()],
    clock,
    onFault: reportFault('request'),
  });
  parts.defer(async () => {
    stopping.abort();
    await Promise.all([http.close(CLOSE_GRACE_MS), invoker.drain(clock, CLOSE_GRACE_MS)]);
  });
  acceptFromFunction = (socket) => http.acceptFromFunction(socket);
  const port = await http.listen(config.port, config.host);
  endpoint = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  activation.resume();

  const running = parts.move();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= running.disposeAsync());
  return { endpoint, close, [Symbol.asyncDispose]: close };
}

/** The bootstraps, relative to this module in the source tree and in the package alike. */
const BOOTSTRAPS = {
  nodejs: fileURLToPath(new URL('../../bootstrap/dist/node', import.meta.url)),
  python: fileURLToPath(new URL('../../bootstrap/python', import.meta.url)),
};

function sandboxReport({ driver, reason, facts }: ChosenDriver) {
  return {
    driver: driver.name,
    reason,
    enforcement: driver.enforcement,
    limits: facts.map((fact) =>
      fact.enforced
        ? fact
        : {
            property: fact.property,
            enforced: false,
            why: fact.reason,
            ...(fact.remedy !== undefined && { remedy: fact.remedy }),
          },
    ),
  };
}

/** Faults of the platform go to the operator, one line each, with what caused them. */
function reportFault(what: string): (cause: unknown) => void {
  return (cause) => {
    const text = inspect(cause).replaceAll(/\s*\n\s*/g, ' | ');
    process.stderr.write(`hearth: fault (${what}): ${text}\n`);
  };
}
