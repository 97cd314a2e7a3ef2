// Layered drawings of one group at a time, top to bottom; open groups inside are drawn first and placed as one box.

const GAP_X = 22;
const GAP_Y = 34;
const PADDING = 16;
const HEAD = 26;
const LEAF_HEIGHT = 40;
const MOST_BENDS = 1500; // of long edges in one drawing; the others go straight
const SWEEPS = 6;

function shownLabel(label) {
  return label.length > 34 ? `…${label.slice(-33)}` : label;
}

/** Sizes of an item and positions of what is inside it, relative to it. */
function place(item, open) {
  if (item.node || !open.has(item.id)) {
    const longest = Math.max((shownLabel(item.label).length + (item.node ? 0 : 2)) * 7.2, (subLabel(item).length + 2) * 5.8);
    item.width = Math.max(78, longest + 20);
    item.height = LEAF_HEIGHT;
    item.routes = [];
    return;
  }
  item.children.forEach((child) => place(child, open));
  const size = layered(item);
  item.width = Math.max(size.width, shownLabel(item.label).length * 7 + 40) + 2 * PADDING;
  item.height = size.height + HEAD + PADDING;
  const shift = (item.width - size.width) / 2;
  for (const child of item.children) {
    child.x += shift;
    child.y += HEAD;
  }
  for (const route of item.routes) route.points = route.points.map(([x, y]) => [x + shift, y + HEAD]);
}

function layered(item) {
  const order = new Map(item.children.map((child, k) => [child, k])); // by depth
  const edges = item.edges.map((edge) => (order.get(edge.from) <= order.get(edge.to) ? edge : { ...edge, from: edge.to, to: edge.from, isBack: true }));
  const rank = ranks(item.children, edges);
  const { rows, links, chains } = withBends(item.children, edges, rank);
  for (let k = 0; k < SWEEPS; k += 1) sortRows(rows, links, k % 2 === 0);
  const height = placeRows(rows, links);
  const all = rows.flat();
  const left = Math.min(0, ...all.map((c) => c.x));
  all.forEach((c) => { c.x -= left; });
  for (const cell of all) if (cell.item) [cell.item.x, cell.item.y] = [cell.x, cell.y];
  item.routes = chains.map(({ edge, cells }) => ({ edge, points: route(cells, edge.isBack) }));
  return { width: Math.max(0, ...all.map((c) => c.x + c.width)), height };
}

function ranks(children, edges) {
  const into = new Map(children.map((child) => [child, []]));
  for (const edge of edges) into.get(edge.to).push(edge.from);
  const rank = new Map();
  for (const child of children) rank.set(child, 0);
  for (const child of children) for (const from of into.get(child)) rank.set(child, Math.max(rank.get(child), rank.get(from) + 1));
  return rank;
}

/** Rows of cells; an edge over several rows gets a narrow cell in each row between. */
function withBends(children, edges, rank) {
  const rows = [];
  const cells = new Map();
  const links = new Map();
  const add = (row, width, height, item) => {
    const cell = { width, height, item, x: 0, y: 0, row };
    while (rows.length <= row) rows.push([]);
    rows[row].push(cell);
    links.set(cell, { up: [], down: [] });
    return cell;
  };
  for (const child of children) cells.set(child, add(rank.get(child), child.width, child.height, child));
  const join = (a, b) => {
    links.get(a).down.push(b);
    links.get(b).up.push(a);
  };
  let bends = 0;
  const chains = edges.map((edge) => {
    const [first, last] = [cells.get(edge.from), cells.get(edge.to)];
    const chain = [first];
    const between = last.row - first.row - 1;
    if (between > 0 && bends + between <= MOST_BENDS) {
      bends += between;
      for (let row = first.row + 1; row < last.row; row += 1) chain.push(add(row, 8, 0, null));
    }
    chain.push(last);
    for (let k = 1; k < chain.length; k += 1) join(chain[k - 1], chain[k]);
    return { edge, cells: chain };
  });
  return { rows, links, chains };
}

/** Each row in the order of the mean position of its neighbours above (or below). */
function sortRows(rows, links, down) {
  const position = new Map();
  rows.forEach((row) => row.forEach((cell, k) => position.set(cell, k)));
  const numbers = down ? rows.map((_, k) => k) : rows.map((_, k) => rows.length - 1 - k);
  for (const number of numbers) {
    const wanted = new Map();
    for (const cell of rows[number]) {
      const near = down ? links.get(cell).up : links.get(cell).down;
      wanted.set(cell, near.length ? near.reduce((sum, c) => sum + position.get(c), 0) / near.length : position.get(cell));
    }
    rows[number].sort((a, b) => wanted.get(a) - wanted.get(b));
    rows[number].forEach((cell, k) => position.set(cell, k));
  }
}

/** Coordinates: every cell as near to its neighbours as the row allows. Returns the height. */
function placeRows(rows, links) {
  let y = PADDING / 2;
  for (const row of rows) {
    const height = Math.max(...row.map((c) => c.height));
    let x = 0;
    for (const cell of row) {
      cell.x = x;
      cell.y = y + (height - cell.height) / 2;
      x += cell.width + GAP_X;
    }
    const total = x - GAP_X;
    row.forEach((cell) => { cell.x -= total / 2; });
    y += height + GAP_Y;
  }
  for (let k = 0; k < SWEEPS; k += 1) {
    const sweep = k % 2 === 0 ? rows : [...rows].reverse();
    for (const row of sweep) pull(row, links, k % 2 === 0 ? "up" : "down");
  }
  return y - GAP_Y;
}

function pull(row, links, side) {
  const wanted = row.map((cell) => {
    const near = links.get(cell)[side];
    return near.length ? near.reduce((sum, c) => sum + c.x + c.width / 2, 0) / near.length - cell.width / 2 : cell.x;
  });
  const fromLeft = [];
  row.forEach((cell, k) => {
    fromLeft[k] = k ? Math.max(wanted[k], fromLeft[k - 1] + row[k - 1].width + GAP_X) : wanted[k];
  });
  const fromRight = [];
  for (let k = row.length - 1; k >= 0; k -= 1) {
    fromRight[k] = k < row.length - 1 ? Math.min(wanted[k], fromRight[k + 1] - row[k].width - GAP_X) : wanted[k];
  }
  row.forEach((cell, k) => { cell.x = (fromLeft[k] + fromRight[k]) / 2; });
}

function route(cells, isBack) {
  const points = cells.map((cell, k) => {
    const x = cell.x + cell.width / 2;
    return [x, k === 0 ? cell.y + cell.height : cell.y];
  });
  return isBack ? points.reverse() : points;
}

/** A smooth way through the points that leaves and arrives vertically. */
function curve(points) {
  let path = `M${points[0][0].toFixed(1)},${points[0][1].toFixed(1)}`;
  for (let k = 1; k < points.length; k += 1) {
    const [[x0, y0], [x1, y1]] = [points[k - 1], points[k]];
    const middle = (y0 + y1) / 2;
    path += `C${x0.toFixed(1)},${middle.toFixed(1)} ${x1.toFixed(1)},${middle.toFixed(1)} ${x1.toFixed(1)},${y1.toFixed(1)}`;
  }
  return path;
}
