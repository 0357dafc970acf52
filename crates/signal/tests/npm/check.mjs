// Reads signals with IAB's own libraries and compares what they read with what is expected.
//
//     node check.mjs FOLDER < LINES
//
// FOLDER holds `node_modules`. Each line is JSON: `text`, a signal of the kind `kind` (`tcf` or `gpp`); `expected`, some
// or all of its fields in the words of IAB's library; and `original`, another text that means the same, or null.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";

const require = createRequire(resolve(process.argv[2], "here.js"));
const { TCString } = require("@iabtechlabtcf/core");
const { GppModel } = require("@iabgpp/cmpapi");

const TCF_NUMBERS = [
  "version", "cmpId", "cmpVersion", "consentScreen", "consentLanguage", "vendorListVersion", "policyVersion", "isServiceSpecific",
  "useNonStandardTexts", "purposeOneTreatment", "publisherCountryCode", "created", "lastUpdated",
];
const TCF_SETS = [
  "specialFeatureOptins", "purposeConsents", "purposeLegitimateInterests", "vendorConsents", "vendorLegitimateInterests", "vendorsDisclosed",
  "vendorsAllowed", "publisherConsents", "publisherLegitimateInterests", "publisherCustomConsents", "publisherCustomLegitimateInterests",
];

function tcf(text) {
  const model = TCString.decode(text);
  const fields = Object.fromEntries(TCF_NUMBERS.map((name) => [name, model[name]]));
  for (const name of TCF_SETS) {
    fields[name] = [...model[name]].filter(([, isSet]) => isSet).map(([number]) => number);
  }
  fields.publisherRestrictions = model.publisherRestrictions
    .getRestrictions()
    .map((restriction) => ({
      purposeId: restriction.purposeId,
      restrictionType: restriction.restrictionType,
      vendors: [...model.publisherRestrictions.getVendors(restriction)].sort((a, b) => a - b),
    }))
    .sort((a, b) => a.purposeId - b.purposeId || a.restrictionType - b.restrictionType);
  return fields;
}

const READERS = { tcf, gpp: (text) => new GppModel(text).toObject() };

// What is found of the fields that are expected.
function part(found, expected) {
  if (expected === null || typeof expected !== "object" || Array.isArray(expected) || found === null || typeof found !== "object") {
    return found;
  }
  return Object.fromEntries(Object.keys(expected).map((name) => [name, part(found[name], expected[name])]));
}

let [agree, wrong] = [0, 0];
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { kind, text, expected, original } = JSON.parse(line);
  try {
    // Through JSON, as what is expected came.
    const read = (text) => JSON.parse(JSON.stringify(READERS[kind](text)));
    const found = read(text);
    const shown = part(found, expected ?? {});
    if (!isDeepStrictEqual(shown, expected ?? {})) {
      throw new Error(`read ${JSON.stringify(shown)} where ${JSON.stringify(expected)} is expected`);
    }
    if (original !== null && !isDeepStrictEqual(found, read(original))) {
      throw new Error(`read ${JSON.stringify(found)}, and of ${original} ${JSON.stringify(read(original))}`);
    }
    agree += 1;
  } catch (error) {
    console.log(`${kind} ${text}: ${error.message}`);
    wrong += 1;
  }
}
console.log(`${agree} agree, ${wrong} do not`);
process.exitCode = wrong > 0 ? 1 : 0;
