// What is known of one node: its attributes, who made it, what it replaced, what became of it.

const MOST_LISTED = 12;

/** The history of one pair of graphs: which commit made and removed which names, in order. */
class History {
  constructor(pair) {
    const texts = data.graphs.texts;
    this.commits = pair.commits.map(([rule, made, removed]) => ({ rule: texts[rule], made: made.map((t) => texts[t]), removed: removed.map((t) => texts[t]) }));
    this.made = new Map();
    this.removed = new Map();
    this.commits.forEach((commit, k) => {
      commit.made.forEach((name) => append(this.made, name, k));
      commit.removed.forEach((name) => append(this.removed, name, k));
    });
    this.byPass = new Map(pair.removed.map(([name, step]) => [texts[name], texts[step]]));
  }

  /** The commits that led to a node, the last first, and the names from the original that they replaced. */
  origin(name) {
    const steps = [];
    const originals = new Set();
    const stack = [[name, Infinity]];
    const seen = new Set();
    while (stack.length && steps.length < 200) {
      const [current, before] = stack.pop();
      const k = (this.made.get(current) || []).filter((one) => one < before).pop();
      if (k === undefined) {
        if (before < Infinity) originals.add(current);
        continue;
      }
      if (seen.has(k)) continue;
      seen.add(k);
      steps.push(this.commits[k]);
      this.commits[k].removed.forEach((removed) => stack.push([removed, k]));
    }
    return { steps, originals: [...originals] };
  }

  /** The step that removed a node of the original, and what took its place. */
  end(name) {
    const k = (this.removed.get(name) || [])[0];
    if (k !== undefined) return { step: this.commits[k].rule, became: this.commits[k].made };
    return this.byPass.has(name) ? { step: this.byPass.get(name), became: [] } : null;
  }
}

function append(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}

class Details {
  /** @param go called with a side and a node's name when one is to be shown */
  constructor(go) {
    this.panel = document.getElementById("details");
    this.go = go;
  }

  show(side, node, views, history) {
    const other = side === "before" ? "after" : "before";
    const parts = [make("h3", {}, lastPart(node.name)), make("div", { class: "dim" }, node.name)];
    parts.push(make("p", {}, make("strong", {}, node.op), ` ${node.outputs.join(", ")}`));
    parts.push(make("p", { class: "status" }, this.status(side, node)));
    if (views[other].byName.has(node.name)) parts.push(this.link(`Show it ${other}`, other, node.name));
    if (side === "after") parts.push(...this.origin(node, history));
    else parts.push(...this.end(node, views, history));
    parts.push(...this.attributes(node));
    const name = (index) => views[side].nodes[index].name;
    parts.push(...this.list("reads", node.inputs.map(([index]) => name(index)), side));
    parts.push(...this.list("is read by", node.readers.map(name), side));
    this.panel.replaceChildren(...parts);
    this.panel.scrollTop = 0;
  }

  status(side, node) {
    if (node.status === 0) return "As it was.";
    if (node.status === 1) return "Changed: same name, but not the same op, inputs or attributes.";
    return side === "before" ? "Only in the original." : "Not in the original.";
  }

  origin(node, history) {
    const parts = [];
    const { steps, originals } = history.origin(node.name);
    if (node.by) parts.push(make("h4", {}, "made by"), this.step(node.by));
    const earlier = steps.slice(1).filter((s) => s.rule !== node.by);
    if (earlier.length) parts.push(make("h4", {}, "after"), make("div", {}, [...new Set(earlier.map((s) => s.rule))].join(", ")));
    return [...parts, ...this.list("replaced", originals, "before")];
  }

  end(node, views, history) {
    const found = history.end(node.name);
    if (!found) return [];
    const became = found.became.filter((name) => views.after.byName.has(name));
    return [make("h4", {}, "replaced or removed by"), this.step(found.step), ...this.list("in its place", became, "after")];
  }

  step(name) {
    const explained = data.explanations[name];
    return make("div", {}, make("code", {}, name), ...(explained ? [make("div", { class: "dim" }, explained)] : []));
  }

  attributes(node) {
    if (!node.attributes.length) return [];
    const list = make("dl");
    for (let k = 0; k < node.attributes.length; k += 2) list.append(make("dt", {}, node.attributes[k]), make("dd", {}, node.attributes[k + 1]));
    return [make("h4", {}, "attributes"), list];
  }

  list(title, names, side) {
    if (!names.length) return [];
    const items = names.slice(0, MOST_LISTED).map((name) => make("li", {}, this.link(name, side, name)));
    if (names.length > MOST_LISTED) items.push(make("li", { class: "dim" }, `and ${names.length - MOST_LISTED} more`));
    return [make("h4", {}, title), make("ul", {}, ...items)];
  }

  link(text, side, name) {
    const button = make("button", { type: "button", class: "link" }, text);
    button.addEventListener("click", () => this.go(side, name));
    return button;
  }
}
