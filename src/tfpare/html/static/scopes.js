// Name scopes: a tree of groups over the nodes of one graph, and the edges between the children of each group.

const MOST_CHILDREN = 60; // more in one drawing is a tangle; such scopes are divided in order of depth
const PART = 40;

/** The nodes of one side, decoded: see `graph_data` in graphs.py for the form. */
function decode(rows) {
  const texts = data.graphs.texts;
  const nodes = rows.map(([name, op, inputs, outputs, attributes, by, status, varies], index) => ({
    index, name: texts[name], op: texts[op], inputs, outputs: outputs.map((t) => texts[t]),
    attributes: attributes.map((t) => texts[t]), by: texts[by], status, varies: Boolean(varies), readers: [], depth: 0,
  }));
  for (const node of nodes) {
    for (const [source, port] of node.inputs) {
      nodes[source].readers.push(node.index);
      if (source < node.index && port >= 0) node.depth = Math.max(node.depth, nodes[source].depth + 1);
    }
  }
  return nodes;
}

function group(id, label) {
  return { id, label, node: null, children: [], edges: [], parent: null, level: 0, size: 0, changed: 0, onlyHere: 0, depth: 0 };
}

/** The tree of one side; `withWeights` says whether nodes that no input reaches are shown, too. */
function buildTree(nodes, withWeights) {
  const visible = nodes.filter((n) => withWeights || n.varies);
  const groups = new Map([["", group("", "")]]);
  for (const node of visible) openScopes(groups, scopeOf(node.name));
  const leaves = new Map();
  for (const node of visible) {
    const path = groups.has(node.name) ? node.name : scopeOf(node.name);
    const leaf = { ...group(`node ${node.name}`, lastPart(node.name)), node };
    groups.get(path).children.push(leaf);
    leaves.set(node.index, leaf);
  }
  const root = groups.get("");
  summarize(root);
  shorten(root);
  divide(root);
  connect(root, null, leaves);
  addEdges(nodes, leaves);
  return { root, leaves };
}

/** The first part of a label; of a group of parts, its outer end. */
function firstPart(item) {
  return item.label.split(item.isPart ? " … " : "/")[0];
}

function scopeOf(name) {
  return name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
}

function lastPart(name) {
  return name.slice(name.lastIndexOf("/") + 1) || name;
}

function openScopes(groups, path) {
  if (groups.has(path)) return;
  openScopes(groups, scopeOf(path));
  const made = group(path, lastPart(path));
  groups.set(path, made);
  groups.get(scopeOf(path)).children.push(made);
}

/** Sizes, changes and the depth of the first node, bottom up. */
function summarize(item) {
  if (item.node) {
    item.size = 1;
    item.changed = item.node.status ? 1 : 0;
    item.onlyHere = item.node.status === 2 ? 1 : 0;
    item.depth = item.node.depth;
    return;
  }
  item.children.forEach(summarize);
  item.size = item.children.reduce((sum, c) => sum + c.size, 0);
  item.changed = item.children.reduce((sum, c) => sum + c.changed, 0);
  item.onlyHere = item.children.reduce((sum, c) => sum + c.onlyHere, 0);
  item.depth = item.children.reduce((least, c) => Math.min(least, c.depth), Infinity);
}

/** A scope with a single child is no more than a longer name. */
function shorten(item) {
  item.children = item.children.map((child) => {
    let one = child;
    while (!one.node && one.children.length === 1) {
      const only = one.children[0];
      one = { ...only, label: `${one.label}/${only.label}` };
    }
    if (!one.node) shorten(one);
    return one;
  });
}

/** Scopes with very many children get parts, in order of depth. */
function divide(item) {
  item.children.sort((a, b) => a.depth - b.depth);
  item.children.forEach((child) => child.node || divide(child));
  while (item.children.length > MOST_CHILDREN) {
    const parts = [];
    for (let k = 0; k < item.children.length; k += PART) {
      const chosen = item.children.slice(k, k + PART);
      const part = group(`${item.id}#${chosen[0].id}`, `${firstPart(chosen[0])} … ${firstPart(chosen[chosen.length - 1])}`);
      part.children = chosen;
      part.isPart = true;
      part.size = chosen.reduce((sum, c) => sum + c.size, 0);
      part.changed = chosen.reduce((sum, c) => sum + c.changed, 0);
      part.onlyHere = chosen.reduce((sum, c) => sum + c.onlyHere, 0);
      part.depth = chosen[0].depth;
      parts.push(part);
    }
    item.children = parts;
  }
}

/** Parents and levels, top down; `leaves` gets the items that shortened names replaced. */
function connect(item, parent, leaves) {
  item.parent = parent;
  item.level = parent ? parent.level + 1 : 0;
  if (item.node) leaves.set(item.node.index, item);
  item.children.forEach((child) => connect(child, item, leaves));
}

/** Every edge belongs to the innermost group that holds both ends. */
function addEdges(nodes, leaves) {
  const known = new Map();
  for (const [index, leaf] of leaves) {
    for (const [source, port] of nodes[index].inputs) {
      const from = leaves.get(source);
      if (from && from !== leaf) addEdge(known, from, leaf, port < 0);
    }
  }
}

function addEdge(known, from, to, isControl) {
  let [a, b] = [from, to];
  while (a.parent !== b.parent) {
    if (a.level >= b.level) a = a.parent;
    else b = b.parent;
  }
  if (a === b) return;
  if (!known.has(a)) known.set(a, new Map());
  const edge = known.get(a).get(b);
  if (edge) {
    edge.weight += 1;
    edge.isControl = edge.isControl && isControl;
    return;
  }
  const made = { from: a, to: b, weight: 1, isControl };
  known.get(a).set(b, made);
  a.parent.edges.push(made);
}
