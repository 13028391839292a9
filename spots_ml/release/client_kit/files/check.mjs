/**
 * Proves that the rules and models of this client kit give what its golden lines say, in ONNX Runtime for JavaScript.
 *
 *     node check.mjs [DIR] [--runtime onnxruntime-node|onnxruntime-web] [--json]
 *
 * It needs Node 22 or later and one of the two packages (npm install); without --runtime it checks in each that is
 * installed. The rules are in rules.mjs. It ends with status 0 when everything agrees within the parity of decision.json,
 * with 1 when anything differs.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import {
  assign,
  decide,
  either,
  formula,
  group,
  historyFeatures,
  modelInputs,
  outcomeRule,
  place,
} from "./rules.mjs";

const MODEL_TYPES = ["calling_score", "outcome"];
const PROVIDERS = { "onnxruntime-node": "cpu", "onnxruntime-web": "wasm" };
const FORMULA_PARTS = [
  "vibe_compatibility",
  "life_betterment",
  "meaningful_connection",
  "fulfilment",
  "context",
  "timing",
];
const MAX_TOLD = 20;

/** What was compared, the largest differences and everything that is wrong. */
class Comparison {
  parity = 1e-6;
  largest = {};
  findings = [];

  number(where, name, found, expected) {
    const difference = Math.abs(found - expected);
    const before = this.largest[name] ?? 0;
    if (!Number.isNaN(before)) this.largest[name] = Math.max(before, difference); // max hands NaN through
    if (!(difference <= this.parity)) {
      this.findings.push(`${where}: ${name} is ${found}, expected ${expected}, ${difference.toPrecision(3)} apart`);
    }
  }

  same(where, name, found, expected) {
    if (found !== expected) {
      this.findings.push(`${where}: ${name} is ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
    }
  }

  decision(where, name, found, expected) {
    for (const key of ["weight", "outcome_probability", "hybrid_score", "score"]) {
      this.number(where, `${name}${key}`, found[key], expected[key]);
    }
    for (const key of ["blocked", "called"]) this.same(where, `${name}${key}`, found[key], expected[key]);
  }
}

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Load a model from bytes after checking that it is the right one. */
async function openModel(ort, provider, kit, modelType, rules) {
  const expected = rules.models[modelType];
  const content = readFileSync(join(kit, modelType, "model.onnx"));
  const manifest = readFileSync(join(kit, modelType, "manifest.json"));
  for (const [name, data, digest] of [
    ["model.onnx", content, expected.onnx_sha256],
    ["manifest.json", manifest, expected.manifest_sha256],
  ]) {
    const found = sha256(data);
    if (found !== digest) {
      throw new Error(
        `${modelType}/${name} is damaged: its SHA-256 is ${found.slice(0, 12)}, expected ${digest?.slice(0, 12)}`,
      );
    }
  }
  if (JSON.parse(manifest).digests.contract !== rules.contract_digest) {
    throw new Error(`${modelType} was made for another feature contract than decision.json`);
  }
  return ort.InferenceSession.create(new Uint8Array(content), { executionProviders: [provider], logSeverityLevel: 4 });
}

/** Run rows in one batch. */
async function answers(ort, session, rows, names) {
  const width = rows[0].length;
  const tensor = new ort.Tensor("float32", Float32Array.from(rows.flat()), [rows.length, width]);
  const output = (await session.run({ [names.input]: tensor }, [names.output]))[names.output];
  if (output.dims.length !== 2 || output.dims[0] !== rows.length || output.dims[1] !== 1) {
    throw new Error(`the model answers ${rows.length} rows with the shape [${output.dims}], expected [${rows.length},1]`);
  }
  return Array.from(output.data);
}

/** Recompute one golden line; `kitAnswers` holds what the models say to it, alone and in the batch. */
function checkLine(where, line, kitAnswers, rules, comparison) {
  const { record } = line;
  const inputs = modelInputs(record, rules);
  const names = rules.inputs[line.model_type];
  comparison.same(where, "number of features", line.features.length, names.length);
  line.features.forEach((expected, index) => comparison.number(where, names[index], inputs[names[index]], expected));

  const { alone, batch } = kitAnswers[line.model_type];
  comparison.number(where, "neural_score", alone, line.neural_score);
  comparison.number(where, "neural_score in a batch", batch, line.neural_score);
  const neural = kitAnswers.calling_score.alone;
  comparison.number(where, "calling_score_neural", neural, line.calling_score_neural);

  const parts = formula(inputs, record, rules);
  comparison.number(where, "formula_score", parts.score, line.formula_score);
  for (const name of FORMULA_PARTS) comparison.number(where, `formula.${name}`, parts[name], line.formula[name]);
  const rule = outcomeRule(inputs, rules);
  comparison.number(where, "outcome_rule", rule, line.outcome_rule);

  const agentsGroup = group(record.agent_id, rules);
  comparison.same(where, "group", agentsGroup, line.group);
  const weight = agentsGroup === rules.groups.below ? rules.models.calling_score.weight : 0;
  const filterOn = rules.models.outcome.filter_on;
  const trendBoost = either(record.trend_boost, rules.decision.trend_boost_unknown);
  comparison.number(where, "trend_boost", trendBoost, line.trend_boost);
  for (const [name, neuralScore, outcomeProbability] of [
    ["", neural, kitAnswers.outcome.alone],
    ["calling_score_silent", null, kitAnswers.outcome.alone],
    ["outcome_silent", neural, rule],
    ["both_silent", null, rule],
  ]) {
    const given = { formulaScore: parts.score, neuralScore, weight, outcomeProbability, trendBoost, filterOn };
    const found = decide(given, rules);
    comparison.decision(where, name && `${name}.`, found, name ? line.fallbacks[name] : line);
  }
}

/** Hold group, place and decision rules against the examples of decision.json, which are at the edges. */
function checkExamples(rules, comparison) {
  for (const [agentId, expected] of Object.entries(rules.groups.examples)) {
    comparison.same("decision.json", `group of "${agentId}"`, group(agentId, rules), expected);
  }
  for (const { agent_id: agentId, salt, place: expected } of rules.rollouts.examples) {
    comparison.same("decision.json", `place of "${agentId}"`, place(agentId, salt, rules), expected);
  }
  rules.decision.examples.forEach((example, index) => {
    const given = {
      formulaScore: example.formula_score,
      neuralScore: example.neural_score,
      weight: example.weight,
      outcomeProbability: example.outcome_probability,
      trendBoost: example.trend_boost,
      filterOn: example.filter_on,
    };
    const found = decide(given, rules);
    const where = `decision.json, example ${index + 1}`;
    for (const key of ["hybrid_score", "score"]) comparison.number(where, `example.${key}`, found[key], example[key]);
    for (const key of ["blocked", "called"]) comparison.same(where, `example.${key}`, found[key], example[key]);
  });
}

/** Recompute the history features of every line of history.jsonl. */
function checkHistory(kit, rules, comparison) {
  const texts = readFileSync(join(kit, "history.jsonl"), "utf8").split("\n").filter(Boolean);
  comparison.same("history.jsonl", "number of lines", texts.length, rules.history_lines);
  texts.forEach((text, index) => {
    const where = `history.jsonl, line ${index + 1}`;
    try {
      const line = JSON.parse(text);
      const found = historyFeatures(line.interactions, line.at, rules);
      for (const [name, expected] of Object.entries(line.history_features)) {
        comparison.number(where, name, found[name], expected);
      }
    } catch (error) {
      comparison.findings.push(`${where}: is not whole (${error.message})`);
    }
  });
}

/** Assign the agent of every line of assignment.jsonl; places are compared bit by bit. */
function checkAssignment(kit, rules, comparison) {
  const texts = readFileSync(join(kit, "assignment.jsonl"), "utf8").split("\n").filter(Boolean);
  comparison.same("assignment.jsonl", "number of lines", texts.length, rules.assignment_lines);
  texts.forEach((text, index) => {
    const where = `assignment.jsonl, line ${index + 1}`;
    try {
      const line = JSON.parse(text);
      let found;
      try {
        found = assign(line.agent_id, line.models, rules);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        found = { refused: true };
      }
      for (const [name, value] of Object.entries(found)) {
        for (const key of value !== null && typeof value === "object" ? Object.keys(value) : [null]) {
          const [told, expected] = key === null ? [value, line[name]] : [value[key], line[name]?.[key]];
          comparison.same(where, key === null ? name : `${name}.${key}`, told, expected);
        }
      }
    } catch (error) {
      comparison.findings.push(`${where}: is not whole (${error.message})`);
    }
  });
}

/** Read the golden lines and derive their inputs. */
function readGolden(kit, rules) {
  const lines = [];
  const inputs = [];
  const texts = readFileSync(join(kit, "golden.jsonl"), "utf8").split("\n").filter(Boolean);
  texts.forEach((text, index) => {
    try {
      const line = JSON.parse(text);
      inputs.push(modelInputs(line.record, rules));
      lines.push(line);
    } catch (error) {
      throw new Error(`golden.jsonl, line ${index + 1} cannot be read (${error.message})`);
    }
  });
  return { lines, inputs };
}

/** Check everything in one runtime; returns the number of golden lines. */
async function checkKit(ort, provider, kit, rules, comparison) {
  const { lines, inputs } = readGolden(kit, rules);
  for (const modelType of MODEL_TYPES) {
    const nLines = lines.filter((line) => line.model_type === modelType).length;
    comparison.same("golden.jsonl", `number of ${modelType} lines`, nLines, rules.golden_lines[modelType]);
  }
  checkExamples(rules, comparison);
  checkHistory(kit, rules, comparison);
  checkAssignment(kit, rules, comparison);
  const byModel = {};
  for (const modelType of MODEL_TYPES) {
    const session = await openModel(ort, provider, kit, modelType, rules);
    const rows = inputs.map((row) => rules.inputs[modelType].map((name) => row[name]));
    const names = rules.models[modelType];
    const batch = await answers(ort, session, rows, names);
    byModel[modelType] = [];
    for (const [index, row] of rows.entries()) {
      const [alone] = await answers(ort, session, [row], names);
      byModel[modelType].push({ alone, batch: batch[index] });
    }
  }
  lines.forEach((line, index) => {
    const ofLine = Object.fromEntries(MODEL_TYPES.map((modelType) => [modelType, byModel[modelType][index]]));
    const where = `golden.jsonl, line ${index + 1}`;
    try {
      checkLine(where, line, ofLine, rules, comparison);
    } catch (error) {
      comparison.findings.push(`${where}: is not whole (${error.message})`);
    }
  });
  return lines.length;
}

/** Load a runtime; null when it is not installed. */
async function load(runtime) {
  try {
    const ort = await import(runtime);
    if (runtime === "onnxruntime-web") ort.env.wasm.numThreads = 1;
    return ort;
  } catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND" && error.message.includes(`'${runtime}'`)) return null;
    throw error;
  }
}

/** Check a kit in one runtime; whatever is wrong becomes a finding. Null when the runtime is not installed. */
async function report(runtime, kit) {
  const comparison = new Comparison();
  let nLines = 0;
  let version = "";
  try {
    const ort = await load(runtime);
    if (ort === null) return null;
    version = ort.env.versions.node ?? ort.env.versions.web;
    const rules = readJson(join(kit, "decision.json"));
    comparison.parity = rules.parity;
    nLines = await checkKit(ort, PROVIDERS[runtime], kit, rules, comparison);
  } catch (error) {
    const message = String(error.message ?? error).replaceAll(/\s+/g, " ");
    comparison.findings.push(`the kit cannot be used: ${message}`);
  }
  const { parity, largest, findings } = comparison;
  const host = `Node ${process.versions.node}`;
  return { runtime: `${runtime} ${version}`, host, n_lines: nLines, parity, largest, findings };
}

/** Write a report for people. */
function told({ runtime, host, n_lines: nLines, parity, largest, findings }) {
  const differences = Object.entries(largest).filter(([, value]) => value !== 0);
  const lines = [`${runtime}, ${host}: ${nLines} golden lines`];
  for (const [name, value] of differences) lines.push(`  ${name.padEnd(40)} ${value.toPrecision(3)}`);
  lines.push(`largest difference ${Math.max(0, ...Object.values(largest)).toPrecision(3)}, allowed ${parity}`);
  if (findings.length === 0) return [...lines, "everything agrees"].join("\n");
  for (const finding of findings.slice(0, MAX_TOLD)) lines.push(`DIFFERS ${finding}`);
  return [...lines, `${findings.length} findings: this runtime does not compute what the kit says`].join("\n");
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: "string" }, json: { type: "boolean" } },
});
const kit = positionals[0] ?? dirname(fileURLToPath(import.meta.url));
const wanted = Object.keys(PROVIDERS).filter((runtime) => runtime === (options.runtime ?? runtime));
const reports = [];
for (const runtime of wanted) {
  const checked = await report(runtime, kit);
  if (checked !== null) reports.push(checked);
}
if (reports.length === 0) {
  const names = options.runtime ?? wanted.join(", ");
  console.error(`no runtime to check in: ${names} is not installed here; run: npm install --ignore-scripts`);
  process.exit(2);
}
console.log(options.json ? JSON.stringify(reports, null, 2) : reports.map(told).join("\n\n"));
process.exitCode = reports.some(({ findings }) => findings.length > 0) ? 1 : 0;
