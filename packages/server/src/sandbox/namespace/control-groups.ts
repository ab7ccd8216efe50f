import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  type Controller,
  CONTROLLERS,
  type Hierarchy,
  parseHierarchies,
  removeGroup,
} from './control-group-files.ts';
import { ControlGroup, type GroupFolder } from './control-group.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** A hierarchy with the group below which an instance makes its own, and what it uses it for. */
interface Placement {
  readonly hierarchy: Hierarchy;
  readonly parent: string;
  readonly controllers: readonly Controller[];
}

/** Where an instance's groups can be made; nothing has been made yet. */
export interface ControlGroupPlan {
  readonly placements: readonly Placement[];
  /** Why a controller cannot be used, for those that cannot. */
  readonly missing: Partial<Record<Controller, string>>;
}

/** Looks for each controller in the hierarchies of version 1 first, then in version 2. */
export function planControlGroups(hierarchies = ownHierarchies()): ControlGroupPlan {
  const placements: Placement[] = [];
  const missing: Partial<Record<Controller, string>> = {};
  const unified = hierarchies.find((hierarchy) => hierarchy.version === 2);
  const wantedOfUnified: Controller[] = [];
  for (const controller of CONTROLLERS) {
    const old = hierarchies.find(
      ({ version, controllers }) => version === 1 && controllers.includes(controller),
    );
    if (old === undefined) wantedOfUnified.push(controller);
    else if (!isWritable(old.own)) missing[controller] = `${old.own} cannot be written to`;
    else addTo(placements, old, old.own, controller);
  }
  for (const controller of wantedOfUnified) {
    const parent =
      unified &&
      (controller === 'freezer'
        ? freezingParent(unified, placements)
        : delegatingParent(unified, controller));
    if (unified === undefined || parent === undefined) {
      missing[controller] = `no control group may hand the ${controller} controller on`;
    } else addTo(placements, unified, parent, controller);
  }
  return { placements, missing };
}

function ownHierarchies(): Hierarchy[] {
  return parseHierarchies(
    readFileSync('/proc/self/mountinfo', 'utf8'),
    readFileSync('/proc/self/cgroup', 'utf8'),
  );
}

function addTo(
  placements: Placement[],
  hierarchy: Hierarchy,
  parent: string,
  controller: Controller,
): void {
  const known = placements.findIndex((placement) => placement.parent === parent);
  const controllers = [...(placements[known]?.controllers ?? []), controller];
  placements.splice(known < 0 ? placements.length : known, 1, { hierarchy, parent, controllers });
}

/** Any group that may have another below it; where others are made, too, one serves for all. */
function freezingParent(unified: Hierarchy, placements: readonly Placement[]): string | undefined {
  const used = placements.find(({ hierarchy }) => hierarchy === unified)?.parent;
  return used ?? [unified.own, unified.mountPoint].find(isWritable);
}

/**
 * In version 2 a group with processes cannot hand controllers on to groups below it, except for the
 * root of the hierarchy.
 */
function delegatingParent(hierarchy: Hierarchy, controller: Controller): string | undefined {
  return [hierarchy.own, hierarchy.mountPoint].find((folder) => handOn(folder, controller));
}

function handOn(folder: string, controller: Controller): boolean {
  try {
    const offered = readFileSync(join(folder, 'cgroup.controllers'), 'latin1').trim().split(' ');
    if (!offered.includes(controller)) return false;
    writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
    return isWritable(folder);
  } catch {
    return false;
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The folders that an instance would make, one for each hierarchy. */
export function instanceGroups(plan: ControlGroupPlan, instanceId: string): string[] {
  return plan.placements.map(({ parent }) => join(parent, `hearth-${instanceId}`));
}

/** The control groups of a server instance; one for each environment is made in them. */
export class ControlGroups implements AsyncDisposable {
  readonly #groups: readonly (Placement & { readonly folder: string })[];
  /** Why a controller cannot be used, for those that cannot. */
  readonly missing: Partial<Record<Controller, string>>;

  private constructor(
    groups: readonly (Placement & { readonly folder: string })[],
    missing: Partial<Record<Controller, string>>,
  ) {
    this.#groups = groups;
    this.missing = missing;
  }

  /** Makes the instance's groups. One that cannot be made leaves its controllers out. */
  static open(plan: ControlGroupPlan, instanceId: string): ControlGroups {
    const groups: (Placement & { readonly folder: string })[] = [];
    const missing = { ...plan.missing };
    for (const [index, folder] of instanceGroups(plan, instanceId).entries()) {
      const placement = plan.placements[index];
      if (placement === undefined) continue;
      try {
        mkdirSync(folder);
        const controllers =
          placement.hierarchy.version === 1
            ? placement.controllers
            : prepareUnified(folder, placement.controllers, missing);
        groups.push({ ...placement, controllers, folder });
      } catch (error) {
        const code = errorCode(error);
        for (const name of placement.controllers) missing[name] = `${folder}: ${code}`;
        if (code !== 'EEXIST') removeQuietly(folder);
      }
    }
    return new ControlGroups(groups, missing);
  }

  /** Of the hierarchy that the controller is used in; undefined where it cannot be. */
  versionOf(controller: Controller): 1 | 2 | undefined {
    return this.#groups.find(({ controllers }) => controllers.includes(controller))?.hierarchy
      .version;
  }

  /** Makes an environment's group; throws, and leaves nothing behind, where it cannot. */
  create(environmentId: string, processes: number): ControlGroup {
    const folders: GroupFolder[] = [];
    try {
      for (const { folder, hierarchy, controllers } of this.#groups) {
        const path = join(folder, environmentId);
        mkdirSync(path);
        folders.push({
          path,
          version: hierarchy.version,
          controllers,
          server: hierarchy.own,
          instance: folder,
        });
      }
      return new ControlGroup(folders, processes);
    } catch (error) {
      for (const { path } of folders) removeQuietly(path);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { folder } of this.#groups) await removeGroup(folder);
  }
}

/** Hands the controllers on to the groups below; returns those that they then have. */
function prepareUnified(
  folder: string,
  controllers: readonly Controller[],
  missing: Partial<Record<Controller, string>>,
): readonly Controller[] {
  const handedOn = controllers.filter((name) => name !== 'freezer');
  const enabled = handedOn.map((name) => `+${name}`).join(' ');
  if (enabled !== '') writeFileSync(join(folder, 'cgroup.subtree_control'), enabled);
  if (!controllers.includes('freezer') || existsSync(join(folder, 'cgroup.freeze'))) {
    return controllers;
  }
  missing.freezer = 'groups of version 2 cannot be frozen before Linux 5.2';
  return handedOn;
}

function removeQuietly(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It was not made, or the sweep of the next server gets it.
  }
}
