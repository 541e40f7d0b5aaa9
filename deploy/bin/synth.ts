import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";

import { compose } from "../lib/app.js";
import { load } from "../lib/config.js";
import { FLAGS } from "../lib/flags.js";

/**
 * Synthesizes every example into a folder of its own, as `npx cdk synth` does each alone: loading the CDK takes longer than all of
 * them. Exits with 1 if a rule is broken.
 */
const [, , output = "build/cdk"] = process.argv;
for (const file of readdirSync("examples")) {
  const app = new App({ context: FLAGS, outdir: join(output, basename(file, ".json")) });
  compose(app, load(join("examples", file)));
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  console.error(`deploy: ${file}: ${app.synth().stacks.length} stacks`);
}
