// A sampling chain as data: members with values, and the specs that the server takes for them.

let ids = 0;

/** The parameters that a sampler declares, in order: {key, type, min, max, choices, fallback, about, required}. */
export function parametersOf(sampler) {
  const required = new Set(sampler.schema.required ?? []);
  return Object.entries(sampler.schema.properties).map(([key, schema]) => {
    const inner = schema.anyOf?.find((each) => each.type !== "null") ?? schema;
    return {
      key,
      type: inner.enum ? "choice" : inner.type,
      min: inner.minimum ?? inner.exclusiveMinimum,
      max: inner.maximum,
      choices: inner.enum,
      fallback: schema.default,
      about: schema.description ?? "",
      required: required.has(key),
      optional: schema.anyOf !== undefined,
    };
  });
}

/** A member with its defaults. */
export const newMember = (name) => ({ id: (ids += 1), name, values: {}, on: true });

/** A member of a spec such as `top-p:p=0.9`. */
export function memberOf(spec) {
  const [name, ...rest] = spec.split(":");
  const made = newMember(name.trim());
  for (const pair of rest.join(":").split(",").filter(Boolean)) {
    const [key, ...value] = pair.split("=");
    made.values[key.trim()] = value.join("=").trim();
  }
  return made;
}

/** The spec of a member; values that are empty are left to the server. */
export function specOf(member) {
  const given = Object.entries(member.values).filter(([, value]) => String(value).trim() !== "");
  return given.length ? `${member.name}:${given.map(([key, value]) => `${key}=${value}`).join(",")}` : member.name;
}

/** A chain without members: the model's own. */
export const emptyChain = () => ({ ar: [], nar: [] });

/** A chain of specs by stage. */
export const chainOf = ({ ar = [], nar = [] }) => ({ ar: ar.map(memberOf), nar: nar.map(memberOf) });

/** The specs of a chain by stage, without members that are switched off. */
export function specsOf(chain) {
  const of = (stage) => chain[stage].filter((each) => each.on).map(specOf);
  return { ar: of("ar"), nar: of("nar") };
}

/** The field `samplers` of a request; undefined where the model's own chain is meant. */
export function samplersField({ ar, nar }) {
  if (!ar.length && !nar.length) return undefined;
  return { ...(ar.length ? { ar } : {}), ...(nar.length ? { nar } : {}) };
}

/** A chain in a few words. */
export function inShort({ ar, nar }) {
  const first = ar.length ? ar.join(" → ") : "the model's own chain";
  return nar.length ? `${first}; further levels: ${nar.join(" → ")}` : first;
}

/** A list with the item at `from` moved to `to`. */
export function moved(items, from, to) {
  const left = items.filter((_, at) => at !== from);
  return [...left.slice(0, to), items[from], ...left.slice(to)];
}
