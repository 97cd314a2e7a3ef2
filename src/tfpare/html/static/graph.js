// One side of the graph on the screen.

const MARKS = { before: ["", "~ ", "− "], after: ["", "~ ", "+ "] };

function subLabel(item) {
  if (item.node) return item.node.op;
  const changed = item.changed ? `, ${item.changed} changed` : "";
  return `${count(item.size, "node", "nodes")}${changed}`;
}

class View {
  /**
   * @param side `before` or `after`
   * @param open ids of open groups, shared by both sides
   * @param onChoose called with the side and a node
   * @param onToggle called with a group's id
   */
  constructor(side, open, onChoose, onToggle) {
    this.side = side;
    this.open = open;
    this.canvas = document.querySelector(`#view-${side} .canvas`);
    this.title = document.querySelector(`#view-${side} figcaption .dim`);
    this.scale = 1;
    this.chosen = null;
    const act = (event) => {
      const element = event.target.closest("g.item");
      if (!element) return;
      const item = this.items.get(element);
      if (item.node) onChoose(side, item.node);
      else if (!this.open.has(item.id) || event.type === "keydown" || event.target.classList.contains("head")) onToggle(item.id, this);
      event.preventDefault();
    };
    this.canvas.addEventListener("click", act);
    this.canvas.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") act(event);
    });
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    }, { passive: false });
    enableDragging(this.canvas);
  }

  show(nodes, withWeights) {
    this.nodes = nodes;
    this.byName = new Map(nodes.map((n) => [n.name, n]));
    this.title.textContent = count(nodes.length, "node", "nodes");
    this.setTree(withWeights);
  }

  setTree(withWeights) {
    this.tree = buildTree(this.nodes, withWeights);
    this.open.add("");
    this.openChain(this.tree.root);
    this.render();
  }

  /** What holds nothing but one more group is opened with it. */
  openChain(item) {
    const groups = item.children.filter((c) => !c.node);
    if (groups.length !== 1 || item.children.length > 4) return;
    this.open.add(groups[0].id);
    this.openChain(groups[0]);
  }

  /** Draws everything that is open. `anchor`, a group's id, stays where it is on the screen. */
  render(anchor = null) {
    const before = anchor === null ? null : this.positionOf(anchor);
    const root = this.tree.root;
    this.items = new Map();
    this.elements = new Map();
    place(root, this.open);
    const svg = draw("svg", { role: "group", "aria-label": `Graph ${this.side}` });
    const id = `arrow-${this.side}`;
    const tip = draw("path", { d: "M0,0L6,3L0,6z", fill: "var(--before)" });
    svg.append(draw("defs", {}, draw("marker", { id, markerWidth: 6, markerHeight: 6, refX: 6, refY: 3, orient: "auto" }, tip)));
    this.drawInside(root, svg, `url(#${id})`);
    this.size = [root.width, root.height];
    this.canvas.replaceChildren(svg);
    this.resize();
    if (this.chosen) this.mark(this.chosen);
    if (before) {
      const after = this.positionOf(anchor);
      if (after) this.canvas.scrollBy(after[0] - before[0], after[1] - before[1]);
    }
  }

  positionOf(id) {
    const element = this.elements && this.elements.get(id);
    if (!element) return null;
    const box = element.getBoundingClientRect();
    return [box.left, box.top];
  }

  drawInside(item, parent, arrow) {
    for (const { edge, points } of item.routes) {
      const path = draw("path", { d: curve(points), class: edge.isControl ? "edge control" : "edge", "marker-end": arrow });
      path.style.strokeWidth = Math.min(1.2 + Math.log2(edge.weight) * 0.5, 4);
      parent.append(path);
    }
    for (const child of item.children) parent.append(this.drawItem(child, arrow));
  }

  drawItem(item, arrow) {
    const isOpen = !item.node && this.open.has(item.id);
    const status = this.statusOf(item);
    const kinds = ["item", item.node ? "leaf" : "group", ["same", "changed", `only-${this.side}`][status]];
    if (isOpen) kinds.push("open");
    const mark = MARKS[this.side][status];
    const shape = draw("g", { class: kinds.join(" "), transform: `translate(${item.x.toFixed(1)},${item.y.toFixed(1)})`, role: "button", tabindex: 0,
      "aria-label": `${mark}${item.label}, ${subLabel(item)}` });
    if (!item.node) shape.setAttribute("aria-expanded", String(isOpen));
    shape.append(draw("title", {}, item.node ? item.node.name : item.isPart ? item.label : item.id));
    shape.append(draw("rect", { class: "box", width: item.width, height: item.height, rx: item.node ? 6 : 9 }));
    if (isOpen) {
      shape.append(draw("rect", { class: "head", width: item.width, height: HEAD, fill: "transparent" }));
      shape.append(draw("text", { class: "head", x: 10, y: 17 }, `− ${shownLabel(item.label)}`));
      this.drawInside(item, shape, arrow);
    } else {
      const sign = item.node ? "" : "+ ";
      shape.append(draw("text", { x: item.width / 2, y: 17, "text-anchor": "middle" }, `${sign}${shownLabel(item.label)}`));
      shape.append(draw("text", { class: "sub", x: item.width / 2, y: 31, "text-anchor": "middle" }, `${item.node ? mark : ""}${subLabel(item)}`));
    }
    this.items.set(shape, item);
    this.elements.set(item.id, shape);
    return shape;
  }

  statusOf(item) {
    if (item.node) return item.node.status;
    if (item.onlyHere === item.size) return 2;
    return item.changed ? 1 : 0;
  }

  zoom(factor) {
    const [x, y] = [this.canvas.scrollLeft + this.canvas.clientWidth / 2, this.canvas.scrollTop + this.canvas.clientHeight / 2];
    const old = this.scale;
    this.scale = Math.min(3, Math.max(0.1, this.scale * factor));
    this.resize();
    const grown = this.scale / old;
    this.canvas.scrollTo(x * grown - this.canvas.clientWidth / 2, y * grown - this.canvas.clientHeight / 2);
  }

  resize() {
    const svg = this.canvas.firstElementChild;
    const [width, height] = this.size;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", width * this.scale);
    svg.setAttribute("height", height * this.scale);
    const free = this.canvas.clientWidth - width * this.scale;
    svg.style.marginLeft = `${Math.max(0, free / 2)}px`;
  }

  /** Whether the node can be seen without the weights. */
  has(node) {
    return this.tree.leaves.has(node.index);
  }

  /** Opens every group around a node, marks it and brings it into view. */
  reveal(node) {
    const leaf = this.tree.leaves.get(node.index);
    if (!leaf) return;
    let isNew = false;
    for (let item = leaf.parent; item; item = item.parent) {
      isNew = isNew || !this.open.has(item.id);
      this.open.add(item.id);
    }
    if (isNew) this.render();
    this.mark(node);
    this.center(this.elements.get(leaf.id));
  }

  center(element) {
    const [box, frame] = [element.getBoundingClientRect(), this.canvas.getBoundingClientRect()];
    const dx = box.left + box.width / 2 - frame.left - frame.width / 2;
    const dy = box.top + box.height / 2 - frame.top - frame.height / 2;
    this.canvas.scrollBy(dx, dy);
  }

  mark(node) {
    this.chosen = node;
    this.canvas.querySelectorAll(".chosen").forEach((e) => e.classList.remove("chosen"));
    const leaf = node && this.tree.leaves.get(node.index);
    const element = leaf && this.elements.get(leaf.id);
    if (element) element.classList.add("chosen");
  }
}

/** The mouse moves the drawing; fingers scroll it anyway. */
function enableDragging(canvas) {
  let last = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) last = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !(event.buttons & 1)) return;
    canvas.scrollBy(last[0] - event.clientX, last[1] - event.clientY);
    last = [event.clientX, event.clientY];
  });
  addEventListener("pointerup", () => { last = null; });
}
