import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";

import { compose } from "../lib/app.js";
import { FLAGS } from "../lib/flags.js";
import { InvalidSettings, load } from "../lib/config.js";

/** `npx cdk synth --context settings=FILE`. */
const app = new App({ context: FLAGS });
try {
  compose(app, load(String(app.node.tryGetContext("settings"))));
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} catch (error) {
  if (!(error instanceof InvalidSettings)) throw error;
  console.error(error.message);
  process.exit(1);
}
