// Puts the page together.

const MOST_FOUND = 60;

class GraphPage {
  constructor() {
    this.open = new Set([""]);
    const choose = (side, node) => this.choose(side, node);
    const toggle = (id, from) => this.toggle(id, from);
    this.views = { before: new View("before", this.open, choose, toggle), after: new View("after", this.open, choose, toggle) };
    this.details = new Details((side, name) => this.go(side, name));
    this.weights = document.getElementById("weights");
    this.change = -1;
    this.startTools();
    this.setSides(matchMedia("(max-width: 1000px)").matches ? "after" : "both");
    this.showPair(0);
  }

  startTools() {
    const pairs = document.getElementById("pair");
    data.graphs.pairs.forEach((pair, k) => pairs.append(make("option", { value: k }, pair.label)));
    pairs.parentElement.hidden = data.graphs.pairs.length < 2;
    pairs.addEventListener("change", () => this.showPair(Number(pairs.value)));
    document.querySelectorAll("[data-sides]").forEach((button) => button.addEventListener("click", () => this.setSides(button.dataset.sides)));
    this.weights.addEventListener("change", () => this.rebuild());
    document.getElementById("next-change").addEventListener("click", () => this.nextChange());
    document.getElementById("fold-all").addEventListener("click", () => this.foldAll());
    document.getElementById("zoom-in").addEventListener("click", () => this.zoom(1.25));
    document.getElementById("zoom-out").addEventListener("click", () => this.zoom(0.8));
    addEventListener("resize", () => this.shown().forEach((view) => view.resize()));
    new Search(this);
  }

  showPair(number) {
    const pair = data.graphs.pairs[number];
    this.history = new History(pair);
    this.open.clear();
    this.change = -1;
    for (const side of ["before", "after"]) {
      this.views[side].chosen = null;
      this.views[side].show(decode(pair[side]), this.weights.checked);
    }
    this.shown().forEach((view) => view.render()); // what one side opened at first, the other opens, too
  }

  setSides(sides) {
    this.sides = sides;
    document.querySelectorAll("[data-sides]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.sides === sides)));
    for (const side of ["before", "after"]) document.getElementById(`view-${side}`).hidden = sides !== "both" && sides !== side;
    document.querySelector(".views").classList.toggle("one", sides !== "both");
    if (this.history) this.shown().forEach((view) => view.render());
  }

  shown() {
    return ["before", "after"].filter((side) => this.sides === "both" || this.sides === side).map((side) => this.views[side]);
  }

  rebuild() {
    for (const side of ["before", "after"]) this.views[side].setTree(this.weights.checked);
  }

  toggle(id, from) {
    if (this.open.has(id)) this.open.delete(id);
    else this.open.add(id);
    this.shown().forEach((view) => view.render(id));
    const element = from.elements.get(id);
    if (element) element.focus({ preventScroll: true });
  }

  foldAll() {
    this.open.clear();
    this.open.add("");
    this.shown().forEach((view) => {
      view.openChain(view.tree.root);
    });
    this.shown().forEach((view) => view.render());
  }

  zoom(factor) {
    this.shown().forEach((view) => view.zoom(factor));
  }

  choose(side, node) {
    this.details.show(side, node, this.views, this.history);
    for (const view of Object.values(this.views)) view.mark(view.side === side ? node : view.byName.get(node.name) || null);
  }

  /** Shows a node wherever it is folded away. */
  go(side, name) {
    const view = this.views[side];
    const node = view.byName.get(name);
    if (!node) return;
    if (this.sides !== "both" && this.sides !== side) this.setSides(side);
    if (!view.has(node)) {
      this.weights.checked = true;
      this.rebuild();
    }
    this.choose(side, node);
    view.reveal(node);
    const other = this.views[side === "before" ? "after" : "before"];
    const twin = other.byName.get(name);
    if (this.sides === "both") {
      other.render();
      if (twin && other.has(twin)) other.reveal(twin);
    }
  }

  nextChange() {
    const side = this.sides === "before" ? "before" : "after";
    const view = this.views[side];
    const changed = view.nodes.filter((n) => n.status && view.has(n));
    if (!changed.length) return;
    this.change = (this.change + 1) % changed.length;
    this.go(side, changed[this.change].name);
  }
}

class Search {
  constructor(page) {
    this.page = page;
    this.input = document.getElementById("search");
    this.list = document.getElementById("found");
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("keydown", (event) => {
      const first = this.list.querySelector("button");
      if (event.key === "Enter" && first) first.click();
      if (event.key === "ArrowDown" && first) first.focus();
      if (event.key === "Escape") this.close();
      if (["Enter", "ArrowDown"].includes(event.key)) event.preventDefault();
    });
    this.list.addEventListener("keydown", (event) => this.move(event));
    document.addEventListener("click", (event) => {
      if (!event.target.closest(".find")) this.close();
    });
  }

  move(event) {
    const item = event.target.closest("li");
    const next = { ArrowDown: item.nextElementSibling, ArrowUp: item.previousElementSibling }[event.key];
    if (event.key === "Escape") {
      this.close();
      this.input.focus();
    } else if (next && next.firstElementChild) {
      next.firstElementChild.focus();
      event.preventDefault();
    }
  }

  close() {
    this.list.hidden = true;
  }

  find() {
    const text = this.input.value.trim().toLowerCase();
    this.list.replaceChildren();
    this.list.hidden = !text;
    if (!text) return;
    const found = this.matches(text);
    for (const { name, op, sides } of found.slice(0, MOST_FOUND)) {
      const button = make("button", { type: "button" }, name, make("span", { class: "dim" }, ` ${op}, ${sides.length === 2 ? "in both" : `only ${sides[0]}`}`));
      button.addEventListener("click", () => {
        this.close();
        const wanted = this.page.sides !== "both" && sides.includes(this.page.sides) ? this.page.sides : sides[sides.length - 1];
        this.page.go(wanted, name);
      });
      this.list.append(make("li", {}, button));
    }
    const rest = found.length - MOST_FOUND;
    if (rest > 0) this.list.append(make("li", { class: "dim" }, `and ${rest} more`));
    if (!found.length) this.list.append(make("li", { class: "dim" }, "nothing has this in its name or op"));
  }

  /** Nodes of both sides: first what is no weight, and of these first those whose last part begins with the text. */
  matches(text) {
    const found = new Map();
    for (const side of ["before", "after"]) {
      for (const node of this.page.views[side].nodes) {
        if (!node.name.toLowerCase().includes(text) && !node.op.toLowerCase().includes(text)) continue;
        const known = found.get(node.name);
        if (known) known.sides.push(side);
        else found.set(node.name, { name: node.name, op: node.op, sides: [side], rank: Search.rank(node, text) });
      }
    }
    return [...found.values()].sort((a, b) => a.rank - b.rank);
  }

  static rank(node, text) {
    const begins = lastPart(node.name).toLowerCase().startsWith(text);
    return (node.varies ? 0 : 2) + (begins ? 0 : 1);
  }
}

startTheme();
drawCharts();
whenThemeChanges.push(drawCharts);
if (data.graphs.pairs.length) new GraphPage();
document.documentElement.dataset.ready = "true";
