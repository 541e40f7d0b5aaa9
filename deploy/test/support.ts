/** Synthesizes the examples, each once, and finds its way through their templates. */
import { App } from "aws-cdk-lib";

import { compose } from "../lib/app.js";
import { load, type Settings } from "../lib/config.js";
import { FLAGS } from "../lib/flags.js";

export const VARIANTS = ["single-account", "cross-account", "two-regions", "comparison"] as const;
export type Variant = (typeof VARIANTS)[number];

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Properties = Record<string, any>;

export interface Resource {
  readonly stack: string;
  readonly id: string;
  readonly type: string;
  readonly properties: Properties;
  readonly metadata: Properties;
  readonly dependsOn: readonly string[];
}

interface Template {
  readonly Resources?: Record<string, { Type: string; Properties?: Properties; Metadata?: Properties; DependsOn?: string | string[] }>;
  readonly Outputs?: Record<string, { Value: Json; Export?: { Name: Json } }>;
}

/** Every resource of one deployment, and what refers to what, across its stacks. */
export class Assembly {
  readonly resources: readonly Resource[];
  /** Value and stack, by Region and name: two Regions export the same names. */
  private readonly exports = new Map<string, { stack: string; value: Json }>();

  constructor(settings: Settings) {
    const app = new App({ context: FLAGS });
    compose(app, settings);
    const resources: Resource[] = [];
    for (const { id: stack, template } of app.synth().stacks) {
      const { Resources = {}, Outputs = {} } = template as Template;
      for (const [id, { Type, Properties = {}, Metadata = {}, DependsOn }] of Object.entries(Resources)) {
        resources.push({ stack, id, type: Type, properties: Properties, metadata: Metadata, dependsOn: list(DependsOn) });
      }
      for (const { Value, Export } of Object.values(Outputs)) {
        if (Export !== undefined) this.exports.set(exported(stack, Export.Name), { stack, value: Value });
      }
    }
    this.resources = resources;
  }

  of(type: string): Resource[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** The one resource of a type whose id begins so. */
  one(type: string, id: string, stack = ""): Resource {
    const found = this.of(type).filter((it) => it.id.includes(id) && it.stack.includes(stack));
    if (found.length !== 1) throw new Error(`${found.length} of ${type} ${id}: ${found.map((it) => it.id).join()}`);
    return found[0]!;
  }

  /** `STACK/ID` of the resource that a value refers to, through exports, too; the value itself if it is plain text. */
  target(stack: string, value: Json): string {
    if (typeof value === "string") return value;
    const object = value as { Ref?: string; "Fn::GetAtt"?: [string, string]; "Fn::ImportValue"?: Json };
    if (object.Ref !== undefined) return `${stack}/${object.Ref}`;
    if (object["Fn::GetAtt"] !== undefined) return `${stack}/${object["Fn::GetAtt"][0]}`;
    if (object["Fn::ImportValue"] !== undefined) {
      const found = this.exports.get(exported(stack, object["Fn::ImportValue"]));
      if (found === undefined) throw new Error(`nobody exports ${JSON.stringify(value)}`);
      return this.target(found.stack, found.value);
    }
    throw new Error(`refers to nothing: ${JSON.stringify(value)}`);
  }
}

function exported(stack: string, name: Json): string {
  return `${stack.replace(/^[A-Za-z]+-/, "")} ${JSON.stringify(name)}`;
}

/** The settings of an example. */
export function example(variant: Variant): Settings {
  return load(new URL(`../examples/${variant}.json`, import.meta.url).pathname);
}

const cache = new Map<Variant, Assembly>();

export function assembly(variant: Variant): Assembly {
  const known = cache.get(variant) ?? new Assembly(example(variant));
  cache.set(variant, known);
  return known;
}

/** A value that may be one thing or a list of them. */
export function list<T>(value: T | T[] | undefined): T[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
